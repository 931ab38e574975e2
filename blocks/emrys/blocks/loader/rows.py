"""Which rows a worker reads, and how they are cut into batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader.columns import LoaderColumn
from emrys.blocks.loader.sources import DataSource


@dataclass(frozen=True)
class Shard:
    """The part of the data that one of several workers reads.

    Args:
        start: First row, counted over all files in their order.
        stop: Row after the last.
        full_batches: Number of batches of `batch_size` rows.
        last_batches: Sizes of the smaller batches after those: none, one or two.
    """

    start: int
    stop: int
    full_batches: int
    last_batches: tuple[int, ...] = ()

    @property
    def steps(self) -> int:
        """Number of batches in an epoch."""
        return self.full_batches + len(self.last_batches)


def shard_rows(rows: int, batch_size: int, size: int = 1, rank: int = 0, drop_last: bool = False) -> Shard:
    """Cuts the rows into runs of equal length, one per worker, with the same number of batches for each.

    Left-over rows go to the first workers, one each. Where that one row would cost them a batch more than the others,
    the others halve their last batch (with a batch size of 1 they can't: the left-over rows are then not read). With
    `drop_last` a batch that would not be full is not read, nor one that only some of the workers could fill.

    Args:
        rows: Rows of the data.
        batch_size: Rows of a batch, per worker.
        size: Number of workers.
        rank: Number of this worker, from 0.
        drop_last: Whether to leave out batches that are not full.

    Raises:
        ConfigError: `rank` is not below `size`, or there is nothing to read for every worker.
    """
    if not 0 <= rank < size:
        raise ConfigError(f"global_rank must be at least 0 and below global_size={size}; got {rank}")
    least, left_over = divmod(rows, size)
    if least == 0:
        raise ConfigError(f"{rows} rows are too few for global_size={size}: a worker would have none")
    if batch_size == 1:
        left_over = 0
    own = least + (rank < left_over)
    start = rank * least + min(rank, left_over)
    full, rest = divmod(own, batch_size)
    if drop_last:
        full, rest = least // batch_size, 0
        if full == 0:
            raise ConfigError(f"drop_last=True leaves no batch: batch_size={batch_size}, {least} rows per worker")
    steps = -(-(least + (left_over > 0)) // batch_size)
    last: tuple[int, ...] = (rest,) if rest else ()
    if not drop_last and full + len(last) < steps:
        full, last = full - 1, (batch_size - batch_size // 2, batch_size // 2)
    return Shard(start, start + own, full, last)


def read_ahead(pieces: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Gives the pieces in their order, the next of them read in a thread.

    Args:
        pieces: Where the rows come from. Only the thread touches it, from the first piece that is asked for on.
        rows: The thread goes on while fewer rows than this wait; so at most this many and one piece do.

    Yields:
        The pieces. An error while one is read is raised in its place.
    """
    ahead = _Ahead(pieces, rows)
    threading.Thread(target=ahead.read, name="emrys-loader", daemon=True).start()
    try:
        while (piece := ahead.take()) is not None:
            yield piece
    finally:
        # Also where the iteration is left early: Keras looks at one batch and goes.
        ahead.stop()


class _Ahead:
    def __init__(self, pieces: Iterator[pa.RecordBatch], rows: int) -> None:
        self._pieces = pieces
        self._rows = rows
        self._waiting: deque[pa.RecordBatch] = deque()
        self._waiting_rows = 0
        self._done = False
        self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def read(self) -> None:
        try:
            for piece in self._pieces:
                with self._changed:
                    self._waiting.append(piece)
                    self._waiting_rows += piece.num_rows
                    self._changed.notify_all()
                    del piece  # or it would be held on to until the next one is there
                    self._changed.wait_for(lambda: self._stopped or self._waiting_rows < self._rows)
                    if self._stopped:
                        break
        except BaseException as error:
            self._error = error
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def take(self) -> pa.RecordBatch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._done)
            if self._waiting:
                piece = self._waiting.popleft()
                self._waiting_rows -= piece.num_rows
                self._changed.notify_all()
                return piece
        if self._error is not None:
            raise self._error
        return None

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()


class RowBuffer:
    """Rows that are given out in random order, or in the order in which they came.

    Args:
        pieces: The rows, at least one piece. The list is emptied.
        rng: Where chance comes from; None keeps the order.
    """

    def __init__(self, pieces: list[pa.RecordBatch], rng: np.random.Generator | None) -> None:
        self._schema: pa.Schema = pieces[0].schema
        self.left = sum(piece.num_rows for piece in pieces)
        self._given = 0
        self._order = None if rng is None else pa.array(rng.permutation(self.left))
        # Column by column, letting go of what has been copied, so that the rows are not in memory twice.
        stores = [piece.columns for piece in pieces]
        pieces.clear()
        self._columns: list[pa.Array] = []
        for _ in self._schema.names:
            self._columns.append(pa.concat_arrays([store.pop(0) for store in stores]))

    def take(self, count: int) -> pa.RecordBatch:
        """The next `count` rows; that many must be left. A copy when mixed, a view otherwise."""
        if self._order is None:
            taken = [column.slice(self._given, count) for column in self._columns]
        else:
            # Arrow gathers about twice as fast as NumPy, and gives memory that TensorFlow takes over as it is.
            places = self._order.slice(self._given, count)
            taken = [pc.take(column, places, boundscheck=False) for column in self._columns]
        self._given += count
        self.left -= count
        return pa.RecordBatch.from_arrays(taken, schema=self._schema)


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
