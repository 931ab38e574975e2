"""Which rows a worker reads, and how they are cut into batches."""

from __future__ import annotations

from dataclasses import dataclass

from emrys.blocks.errors import ConfigError


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
