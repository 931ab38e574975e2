"""The rows of an epoch, in its order, as blocks of whole batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader.columns import LoaderColumn
from emrys.blocks.loader.data_source import DataSource
from emrys.blocks.loader.read_ahead import read_ahead
from emrys.blocks.loader.row_buffer import RowBuffer
from emrys.blocks.loader.sharding import Shard

#: A share of the rows as buffer is at least this many rows, and at most what this many bytes hold.
LEAST_SHARE_ROWS = 1 << 16
MOST_SHARE_BYTES = 1 << 28
#: A block of batches holds about this many bytes; several are on their way at any time.
BLOCK_BYTES = 1 << 24
#: Rows are decoded in pieces of at most this many.
PIECE_ROWS = 1 << 15
#: The buffer is filled with at least this many pieces.
LEAST_PIECES = 4
#: Row groups that are read side by side, so that large ones mix too. Each costs a page of every column.
OPEN_GROUPS = 2


class RowStream:
    """Reads one worker's rows, epoch by epoch.

    Shuffled, the row groups are visited in random order, two side by side, until the buffer is full; its rows are
    then given in random order, and it is filled again. Meanwhile a thread reads what it will be filled with. In memory
    are the rows of the buffer twice, a decoded piece of each open row group and the blocks that the caller holds,
    however large the data is. Every row comes once an epoch.

    Args:
        source: Where the rows are.
        columns: What to make of them.
        shard: Which rows, and in what batches.
        batch_size: Rows of a full batch.
        shuffle: Whether to mix the rows; else they come in the order of the data.
        buffer_size: Rows that are mixed at once; a float up to 1 is a share of the data's rows (at least 65,536 rows,
            and at most 256 MiB of them).
        parts: How many times that many.
    """

    def __init__(
        self,
        source: DataSource,
        columns: Sequence[LoaderColumn],
        shard: Shard,
        batch_size: int,
        shuffle: bool,
        buffer_size: float,
        parts: int = 1,
    ) -> None:
        self.source = source
        self.columns = tuple(columns)
        self.shard = shard
        self.batch_size = batch_size
        self.shuffle = shuffle
        row_bytes = max(1.0, sum(self._bytes(column) for column in columns))
        self._block_batches = max(1, int(BLOCK_BYTES / row_bytes) // batch_size)
        self.buffer_rows = self._block_batches * batch_size
        if shuffle:
            wanted = int(buffer_size)
            if isinstance(buffer_size, float) and buffer_size <= 1:
                wanted = int(min(max(source.rows * buffer_size, LEAST_SHARE_ROWS), MOST_SHARE_BYTES / row_bytes))
            self.buffer_rows = max(batch_size, wanted * parts)
        self._piece_rows = min(PIECE_ROWS, max(batch_size, self.buffer_rows // LEAST_PIECES))

    def blocks(self, seed: int, epoch: int) -> Iterator[tuple[pa.RecordBatch, int]]:
        """One epoch.

        Args:
            seed: Not negative; with `epoch` it determines the order.
            epoch: Number of the epoch, from 0.

        Yields:
            Rows, and how many of them make a batch: the rows are one or several whole batches.

        Raises:
            ConfigError: The seed is not an integer of at least 0.
            DataError: The data cannot be read.
        """
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise ConfigError(f"seed_fn must give an integer of at least 0; got {seed!r}")
        rng = np.random.default_rng([int(seed), epoch])
        full_left = self.shard.full_batches
        held: list[pa.RecordBatch] = []
        # All that chance decides about reading is decided here: the thread must not share `rng`.
        spans = self._spans()
        if self.shuffle:
            spans = [spans[place] for place in rng.permutation(len(spans))]
        for piece in read_ahead(self._pieces(spans), self.buffer_rows):
            held.append(piece)
            count = sum(part.num_rows for part in held)
            batches = min(count // self.batch_size, full_left)
            if count >= self.buffer_rows and batches:
                buffer = RowBuffer(held, rng if self.shuffle else None)
                yield from self._cut(buffer, batches)
                held = [buffer.take(buffer.left)]
                full_left -= batches
        # What is left when the data has ended: a buffer that is not full.
        buffer = RowBuffer(held, rng if self.shuffle else None)
        yield from self._cut(buffer, full_left)
        for size in self.shard.last_batches:
            yield buffer.take(size), size

    def _cut(self, buffer: RowBuffer, batches: int) -> Iterator[tuple[pa.RecordBatch, int]]:
        """So many full batches, in blocks."""
        for first in range(0, batches, self._block_batches):
            yield buffer.take(min(self._block_batches, batches - first) * self.batch_size), self.batch_size

    def _pieces(self, spans: Sequence[tuple[int, int, int]]) -> Iterator[pa.RecordBatch]:
        """The rows of parts of groups, in pieces; two side by side when shuffled."""
        waiting = iter(spans)
        active: list[Iterator[pa.RecordBatch]] = []
        while True:
            while len(active) < (OPEN_GROUPS if self.shuffle else 1) and (span := next(waiting, None)):
                group, first, last = span
                active.append(self.source.read(group, first, last, self.columns, self._piece_rows))
            if not active:
                return
            for reader in tuple(active):
                piece = next(reader, None)
                if piece is None:
                    active.remove(reader)
                else:
                    yield piece

    def _spans(self) -> list[tuple[int, int, int]]:
        """The groups that the shard touches, with the first row and the row after the last in each."""
        ends = list(accumulate(self.source.group_rows))
        spans = []
        for group, (rows, end) in enumerate(zip(self.source.group_rows, ends, strict=True)):
            first, last = max(self.shard.start - (end - rows), 0), min(self.shard.stop - (end - rows), rows)
            if first < last:
                spans.append((group, first, last))
        return spans

    def _bytes(self, column: LoaderColumn) -> float:
        if not column.is_list:
            return column.dtype.itemsize
        length = self.source.list_length(column.name) if column.length is None else column.length
        return length * column.dtype.itemsize + (4 if column.is_ragged else 0)
