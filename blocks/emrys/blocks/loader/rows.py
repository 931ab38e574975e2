"""The rows of an epoch: sharded by worker, read ahead in a thread, shuffled, and cut into whole batches."""

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
from emrys.blocks.loader.batches import LoaderColumn
from emrys.blocks.loader.sources import DataSource


@dataclass(frozen=True)
class Shard:
    """The rows that one of several workers reads, and the sizes of its batches.

    Args:
        start: First row, counted over all files in order.
        stop: Row after the last.
        full_batches: Number of batches of `batch_size` rows.
        last_batches: Sizes of the smaller last batches: none, one or two.
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
    """Splits the rows into contiguous shards of equal length, one per worker, with the same number of batches each.

    Remaining rows go to the first workers, one each. If that row adds a batch, the other workers split their last batch
    in two (with a batch size of 1 the remaining rows are not read instead). With `drop_last`, incomplete batches are
    not read, nor batches that only some of the workers could fill.

    Args:
        rows: Rows of the data.
        batch_size: Rows of a batch, per worker.
        size: Number of workers.
        rank: Number of this worker, from 0.
        drop_last: Whether to drop incomplete batches.

    Raises:
        ConfigError: `rank` is not below `size`, or there are fewer rows than workers.
    """
    if not 0 <= rank < size:
        raise ConfigError(f"global_rank must be at least 0 and below global_size={size}; got {rank}")
    minimum, remainder = divmod(rows, size)
    if minimum == 0:
        raise ConfigError(f"{rows} rows are too few for global_size={size}: a worker would have none")
    if batch_size == 1:
        remainder = 0
    own = minimum + (rank < remainder)
    start = rank * minimum + min(rank, remainder)
    full, rest = divmod(own, batch_size)
    if drop_last:
        full, rest = minimum // batch_size, 0
        if full == 0:
            raise ConfigError(f"drop_last=True leaves no batch: batch_size={batch_size}, {minimum} rows per worker")
    steps = -(-(minimum + (remainder > 0)) // batch_size)
    last: tuple[int, ...] = (rest,) if rest else ()
    if not drop_last and full + len(last) < steps:
        full, last = full - 1, (batch_size - batch_size // 2, batch_size // 2)
    return Shard(start, start + own, full, last)


def read_ahead(chunks: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Iterates over chunks of rows that a thread reads in advance.

    Args:
        chunks: The chunks. Only the thread iterates over them; it starts with the first request.
        rows: The thread reads while fewer rows than this are waiting, so that at most this many and one chunk are.

    Yields:
        The chunks, in order. An error while one is read is raised in its place.
    """
    ahead = _ReadAhead(chunks, rows)
    threading.Thread(target=ahead.read, name="emrys-loader", daemon=True).start()
    try:
        while (chunk := ahead.take()) is not None:
            yield chunk
    finally:
        # Also if the iteration is abandoned: Keras reads a single batch to build a model.
        ahead.stop()


class _ReadAhead:
    def __init__(self, chunks: Iterator[pa.RecordBatch], rows: int) -> None:
        self._chunks = chunks
        self._rows = rows
        self._waiting: deque[pa.RecordBatch] = deque()
        self._waiting_rows = 0
        self._done = False
        self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def read(self) -> None:
        try:
            for chunk in self._chunks:
                with self._changed:
                    self._waiting.append(chunk)
                    self._waiting_rows += chunk.num_rows
                    self._changed.notify_all()
                    del chunk  # else it stays in memory until the next one is read
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
                chunk = self._waiting.popleft()
                self._waiting_rows -= chunk.num_rows
                self._changed.notify_all()
                return chunk
        if self._error is not None:
            raise self._error
        return None

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()


class RowBuffer:
    """The shuffle buffer: rows in memory that are taken in random order, or in order.

    Args:
        chunks: The rows, at least one chunk. The list is emptied.
        rng: Random generator; None keeps the order.
    """

    def __init__(self, chunks: list[pa.RecordBatch], rng: np.random.Generator | None) -> None:
        self._schema: pa.Schema = chunks[0].schema
        self.left = sum(chunk.num_rows for chunk in chunks)
        self._taken = 0
        self._order = None if rng is None else pa.array(rng.permutation(self.left))
        # Column by column, releasing the source of each copy, so that the rows are not in memory twice.
        stores = [chunk.columns for chunk in chunks]
        chunks.clear()
        self._columns: list[pa.Array] = []
        for _ in self._schema.names:
            self._columns.append(pa.concat_arrays([store.pop(0) for store in stores]))

    def take(self, count: int) -> pa.RecordBatch:
        """Takes the next `count` rows, at most `left`; a copy if shuffled, a view otherwise."""
        if self._order is None:
            taken = [column.slice(self._taken, count) for column in self._columns]
        else:
            # Arrow gathers about twice as fast as NumPy, into memory that TensorFlow uses without a copy.
            indices = self._order.slice(self._taken, count)
            taken = [pc.take(column, indices, boundscheck=False) for column in self._columns]
        self._taken += count
        self.left -= count
        return pa.RecordBatch.from_arrays(taken, schema=self._schema)


#: Limits of a buffer that is a fraction of the data: minimum rows, maximum bytes.
MIN_FRACTION_ROWS = 1 << 16
MAX_FRACTION_BYTES = 1 << 28
#: Approximate size of a block of batches; several are in memory at a time.
BLOCK_BYTES = 1 << 24
#: Maximum rows of a decoded chunk.
CHUNK_ROWS = 1 << 15
#: The buffer is filled with at least this many chunks.
MIN_CHUNKS = 4
#: Row groups that are read in turn, so that large ones are shuffled too. Each costs a page of every column.
OPEN_GROUPS = 2


class RowStream:
    """Reads the rows of one worker, epoch by epoch, as blocks of whole batches.

    To shuffle, row groups are read in random order, two in turn, until the buffer is full; its rows are then taken in
    random order, and it is filled again, from rows that a thread reads in the meantime. Memory holds the rows of the
    buffer twice, a decoded chunk of each open row group and the blocks that the caller keeps, whatever the size of the
    data. Every row appears once per epoch.

    Args:
        source: The data.
        columns: The columns to read.
        shard: The rows to read and the sizes of the batches.
        batch_size: Rows of a full batch.
        shuffle: Whether to shuffle the rows; else they keep the order of the data.
        buffer_size: Rows of the shuffle buffer; a float up to 1 is a fraction of the data (at least 65,536 rows, and at
            most 256 MiB of them).
        parts: Factor on `buffer_size`.
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
                wanted = int(min(max(source.rows * buffer_size, MIN_FRACTION_ROWS), MAX_FRACTION_BYTES / row_bytes))
            self.buffer_rows = max(batch_size, wanted * parts)
        self._chunk_rows = min(CHUNK_ROWS, max(batch_size, self.buffer_rows // MIN_CHUNKS))

    def blocks(self, seed: int, epoch: int) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Reads one epoch.

        Args:
            seed: At least 0; with `epoch` it determines the order.
            epoch: Number of the epoch, from 0.

        Yields:
            Rows of one or several whole batches, and the number of rows of a batch.

        Raises:
            ConfigError: if the seed is not an integer of at least 0.
            DataError: if the data cannot be read.
        """
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise ConfigError(f"seed_fn must return an integer of at least 0; got {seed!r}")
        rng = np.random.default_rng([int(seed), epoch])
        full_left = self.shard.full_batches
        buffered: list[pa.RecordBatch] = []
        # The order of reading is drawn here, because the thread must not share `rng`.
        spans = self._spans()
        if self.shuffle:
            spans = [spans[index] for index in rng.permutation(len(spans))]
        for chunk in read_ahead(self._chunks(spans), self.buffer_rows):
            buffered.append(chunk)
            count = sum(part.num_rows for part in buffered)
            batches = min(count // self.batch_size, full_left)
            if count >= self.buffer_rows and batches:
                buffer = RowBuffer(buffered, rng if self.shuffle else None)
                yield from self._cut(buffer, batches)
                buffered = [buffer.take(buffer.left)]
                full_left -= batches
        # The remaining rows: a partly filled buffer.
        buffer = RowBuffer(buffered, rng if self.shuffle else None)
        yield from self._cut(buffer, full_left)
        for size in self.shard.last_batches:
            yield buffer.take(size), size

    def _cut(self, buffer: RowBuffer, batches: int) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Takes a number of full batches, in blocks."""
        for first in range(0, batches, self._block_batches):
            yield buffer.take(min(self._block_batches, batches - first) * self.batch_size), self.batch_size

    def _chunks(self, spans: Sequence[tuple[int, int, int]]) -> Iterator[pa.RecordBatch]:
        """Reads spans of groups in chunks; two in turn to shuffle."""
        waiting = iter(spans)
        active: list[Iterator[pa.RecordBatch]] = []
        while True:
            while len(active) < (OPEN_GROUPS if self.shuffle else 1) and (span := next(waiting, None)):
                group, first, last = span
                active.append(self.source.read(group, first, last, self.columns, self._chunk_rows))
            if not active:
                return
            for reader in tuple(active):
                chunk = next(reader, None)
                if chunk is None:
                    active.remove(reader)
                else:
                    yield chunk

    def _spans(self) -> list[tuple[int, int, int]]:
        """The groups of the shard, with the first row and the row after the last in each."""
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
        return length * (column.vector or 1) * column.dtype.itemsize + (4 if column.is_ragged else 0)
