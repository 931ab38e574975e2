"""Order of the rows, epochs, and how many are in memory."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader import Loader
from tests.blocks.loader.conftest import Write


def ids(loader: Loader) -> list[int]:
    return [int(number) for features, _ in loader for number in features["id"].numpy()[:, 0]]


def test_every_row_comes_once_an_epoch_in_an_order_of_its_own(numbered: Path) -> None:
    loader = Loader(numbered, 7, buffer_size=30)
    first, second = ids(loader), ids(loader)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert first != list(range(100))


def test_rows_of_several_row_groups_are_mixed(numbered: Path) -> None:
    # A buffer of 40 rows holds 4 row groups of 10: the first 40 rows come from 4 of them, and not group by group.
    order = ids(Loader(numbered, 10, buffer_size=40))
    groups = [number // 10 for number in order[:40]]
    assert len(set(groups)) == 4
    assert sum(left != right for left, right in itertools.pairwise(groups)) > 20


def test_a_large_row_group_is_mixed_with_others_a_piece_at_a_time(write: Write) -> None:
    # 4 row groups of 1,000 rows, a buffer of 400: two groups give 200 rows each to the first 400.
    path = write({"id": list(range(4000))}, rows_per_group=1000)
    order = ids(Loader(path, 50, buffer_size=400))
    assert sorted(order) == list(range(4000))
    assert sorted(np.bincount(np.array(order[:400]) // 1000, minlength=4)) == [0, 0, 200, 200]


@pytest.mark.slow
def test_the_order_follows_from_seed_and_epoch(numbered: Path) -> None:
    def orders(seed: int) -> list[list[int]]:
        loader = Loader(numbered, 10, buffer_size=50, seed_fn=lambda: seed)
        return [ids(loader) for _ in range(3)]

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    resumed = Loader(numbered, 10, buffer_size=50, seed_fn=lambda: 1)
    resumed.set_epoch(2)
    assert resumed.epoch == 2
    assert ids(resumed) == orders(1)[2]
    assert resumed.epoch == 3


def test_seed_fn_is_asked_as_each_epoch_starts(numbered: Path) -> None:
    seeds: list[int] = []

    def next_seed() -> int:
        seeds.append(len(seeds))
        return seeds[-1]

    loader = Loader(numbered, 10, seed_fn=next_seed)
    assert seeds == []
    ids(loader)
    ids(loader)
    assert seeds == [0, 1]


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_a_bad_seed_is_named(numbered: Path, seed: object) -> None:
    loader = Loader(numbered, 10, seed_fn=lambda: seed)  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigError, match=f"seed_fn must return an integer of at least 0; got {seed}"):
        ids(loader)


def test_errors_of_seed_fn_propagate(numbered: Path) -> None:
    def fails() -> int:
        raise KeyError("no seed today")

    with pytest.raises(KeyError, match="no seed today"):
        ids(Loader(numbered, 10, seed_fn=fails))


def test_parts_per_chunk_enlarges_the_buffer(numbered: Path) -> None:
    # 2 parts of 20 rows hold 4 row groups of 10.
    order = ids(Loader(numbered, 10, buffer_size=20, parts_per_chunk=2))
    assert len({number // 10 for number in order[:40]}) == 4
    assert len({number // 10 for number in order[:20]}) > 2


def test_a_bad_epoch_is_named(numbered: Path) -> None:
    with pytest.raises(ConfigError, match="epoch must be an integer of at least 0; got -1"):
        Loader(numbered, 10).set_epoch(-1)


def test_without_shuffling_each_epoch_is_the_same(numbered: Path) -> None:
    loader = Loader(numbered, 7, shuffle=False)
    assert ids(loader) == ids(loader) == list(range(100))


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 10, 25])
def test_workers_share_the_rows_and_have_as_many_batches(numbered: Path, size: int, batch_size: int) -> None:
    loaders = [
        Loader(numbered, batch_size, buffer_size=20, global_size=size, global_rank=rank) for rank in range(size)
    ]  # fmt: skip
    epochs = [[features["id"].numpy()[:, 0].tolist() for features, _ in loader] for loader in loaders]
    read = sorted(number for batches in epochs for batch in batches for number in batch)
    assert len(read) == len(set(read))
    # With batches of one row, rows that do not go round cannot be had without a batch more for some.
    assert len(read) == (100 - 100 % size if batch_size == 1 else 100)
    assert len({len(batches) for batches in epochs}) == 1
    assert [len(batches) for batches in epochs] == [len(loader) for loader in loaders]


def test_a_worker_with_a_row_less_halves_its_last_batch(numbered: Path) -> None:
    # 100 rows for 3 workers: 34, 33, 33. Batches of 11: the first has 11, 11, 11, 1; the others would have 3 only.
    def sizes(rank: int) -> list[int]:
        return [len(features["id"]) for features, _ in Loader(numbered, 11, global_size=3, global_rank=rank)]

    assert sizes(0) == [11, 11, 11, 1]
    assert sizes(1) == sizes(2) == [11, 11, 6, 5]


def test_drop_last_keeps_workers_in_step(numbered: Path) -> None:
    # 34, 33, 33 rows, batches of 17: the first could fill two, the others one.
    for rank in range(3):
        loader = Loader(numbered, 17, global_size=3, global_rank=rank, drop_last=True)
        assert [len(features["id"]) for features, _ in loader] == [17]


def test_more_workers_than_rows_is_an_error(numbered: Path) -> None:
    with pytest.raises(ConfigError, match="100 rows are too few for global_size=101"):
        Loader(numbered, 5, global_size=101, global_rank=0)


def peak(loader: Loader) -> int:
    """Most bytes that Arrow held while an epoch was read, over what it held before."""
    before = pa.total_allocated_bytes()
    return max(pa.total_allocated_bytes() - before for _ in loader)


@pytest.mark.parametrize("rows_per_group", [5_000, 1_000_000])
@pytest.mark.slow
def test_memory_is_bounded_by_the_buffer_at_ten_times_the_data(
    tmp_path: Path, rows_per_group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emrys.blocks.loader.rows.BLOCK_BYTES", 1 << 16)

    def peak_of(rows: int) -> int:
        columns = {f"c{number}": np.random.default_rng(number).integers(0, 2**60, rows) for number in range(8)}
        path = tmp_path / f"{rows}.parquet"
        # Small pages: those of one column each are in memory while a row group is decoded.
        pq.write_table(
            pa.table(columns), path, row_group_size=rows_per_group, data_page_size=1 << 14, use_dictionary=False
        )
        del columns
        return peak(Loader(path, 500, buffer_size=10_000))

    # 64 bytes a row: 2.6 MB and 26 MB of data, a buffer of 10,000 rows or 0.64 MB.
    small, large = peak_of(40_000), peak_of(400_000)
    assert large < 1.5 * small
    assert large < 26e6 / 4
