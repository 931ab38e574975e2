"""The parity check of a retrieval ensemble: it must recommend what the offline path recommends, and nothing seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.blocks.errors import DataError, ParityError
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.offline import OfflineRecommendations
from emrys.components.retrieval.catalogue import positions
from emrys.components.serving.backends.retrieve_step import RetrieveStep
from emrys.components.serving.columns import Column
from emrys.components.serving.parity import (
    UNSEEN,
    ParityResult,
    TransformTable,
    comparison_rows,
    mismatch,
    run_both_paths,
)
from emrys.components.serving.recommendation import ITEM_IDS, NO_SCORE, SCORES, is_null
from emrys.components.serving.retrieval_repository import Recommender

STEP = "export_retrieval"

#: Raw rows and the same rows transformed in, the recommendations for each row out.
RecommendTable = Callable[[pa.Table, pa.Table], OfflineRecommendations]

Ints = npt.NDArray[np.int64]

#: Most items of a history in an edge case.
_MAX_HISTORY = 2000


@dataclass(frozen=True)
class RetrievalParity(ParityResult):
    """Summary of a parity check that passed.

    Args:
        rows: Number of rows compared.
        max_abs_difference: Largest difference of two scores.
        through: `triton` if a server answered, `in-process` if the same code ran without one.
        k: Length of the lists, K.
        recommended: Number of recommended items over all rows.
        short_rows: Number of rows with fewer than K items.
        ties: Number of ranks at which the two paths have different items of the same score.
        seen_left_out: Number of seen items over all rows; none of them was recommended.
        search_recall: Share of the exact results that the search finds; 1 for an exact search.
    """

    k: int
    recommended: int
    short_rows: int
    ties: int
    seen_left_out: int
    search_recall: float


def comparison_queries(
    table: pa.Table,
    columns: Sequence[Column],
    rows: int,
    seed: int,
    recommender: Recommender,
    amounts: Collection[str] = (),
) -> pa.Table:
    """Samples held-out rows and appends edge cases: those of `comparison_rows`, and users who have seen many items.

    The latter are the user with the most seen items and, where the items of a history are excluded, a new user whose
    history is the whole catalogue, or all of it but one item.

    Args:
        table: Raw rows that the model was not trained on.
        columns: Inputs of the ensemble.
        rows: Number of rows to sample; all of them if there are fewer.
        seed: Seed of the sample.
        recommender: The parts of the ensemble.
        amounts: See `comparison_rows`. Default: none.

    Returns:
        The sampled rows in their order, then the edge cases, with the columns of `table`.

    Raises:
        DataError: if the table is empty, lacks a column, or has other types than the catalogue.
    """
    chosen = comparison_rows(table, columns, rows, seed, amounts)
    edge_cases = list(_heavy_users(chosen.slice(0, 1).to_pylist()[0], columns, recommender))
    try:
        return pa.concat_tables([chosen, pa.Table.from_pylist(edge_cases, schema=table.schema)])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"the rows and the catalogue have ids of different types ({error})",
            column=recommender.user or next(iter(recommender.histories.values()), None),
        ) from None


def check_parity(
    models: str | os.PathLike[str],
    rows: pa.Table,
    keys: pa.ChunkedArray,
    offline_transform: TransformTable,
    offline_recommend: RecommendTable,
    config: ExportRetrievalConfig,
    recall_floor: float,
) -> RetrievalParity:
    """Checks that an exported ensemble recommends what the offline path recommends.

    The transformed columns are compared first. Then every item must be in the catalogue and none may be seen. Then
    scores are compared rank by rank, and items, of which those with equal scores may be in another order.

    Args:
        models: The model repository.
        rows: Raw rows; see `comparison_queries`.
        keys: Ids of the items of the catalogue as callers know them, (N,).
        offline_transform: The workflow as it was fitted: raw table to transformed table, same rows.
        offline_recommend: The trained model: its recommendations for each row.
        config: Settings of the export.
        recall_floor: Smallest share of the exact results that an approximate search must find.

    Returns:
        Summary of the check.

    Raises:
        ParityError: naming the first column that differs, `item_ids` or `scores`, with the row and both values; or if
            an approximate search finds too little.
        DependencyError: if there is no server and `config.require_server` requires one.
        ServingError: if the server does not start or refuses a row.
    """
    outputs = run_both_paths(models, rows, offline_transform, config, STEP, RetrieveStep)
    expected = offline_recommend(rows, outputs.offline)
    ids = outputs.served[ITEM_IDS]
    items = _catalogue_indices(ids, keys)
    scores = _scores(outputs.served[SCORES], items)
    _check_seen(items, ids, expected)
    difference = _compare_scores(expected.scores, scores, config.tolerance)
    ties = _compare_items(expected, items, scores, keys, config.tolerance)
    return RetrievalParity(
        rows=rows.num_rows,
        max_abs_difference=difference,
        through=outputs.through,
        k=items.shape[1],
        recommended=int((items >= 0).sum()),
        short_rows=int((items < 0).any(axis=1).sum()),
        ties=ties,
        seen_left_out=len(expected.seen.values),
        search_recall=_recall(items, expected, recall_floor),
    )


def _heavy_users(row: dict[str, Any], columns: Sequence[Column], recommender: Recommender) -> Iterator[dict[str, Any]]:
    """Yields copies of `row` for the user with the most seen items, and with the longest possible histories."""
    if recommender.seen is not None and recommender.user is not None and len(recommender.seen):
        users, lists = (recommender.seen.table.column(number) for number in (0, 1))
        most = int(np.argmax([len(items) for items in lists]))
        yield {**row, recommender.user: users[most].as_py()}
    keys = recommender.items["key"].to_pylist()[:_MAX_HISTORY]
    new_user = {column.name: UNSEEN[column.dtype] for column in columns if column.name == recommender.user}
    for history in dict.fromkeys(recommender.histories.values()):
        for seen in (keys, keys[1:]):
            yield {**row, **new_user, history: seen}


def _catalogue_indices(ids: npt.NDArray[Any], keys: pa.ChunkedArray) -> Ints:
    """Finds served items in the catalogue: their indices, (B, K), -1 for null."""
    strings = ids.dtype == np.object_
    flat = np.array([one.decode("utf-8", "replace") for one in ids.reshape(-1)], object) if strings else ids.reshape(-1)
    catalogue = np.array(keys.to_pylist(), object) if strings else keys.to_numpy()
    items = positions(flat, catalogue).reshape(ids.shape)
    for row, rank in np.argwhere((items < 0) & ~is_null(ids)):
        raise ParityError(
            f"row {row} of the compared rows has an item that is not in the catalogue",
            column=ITEM_IDS,
            got=str(ids[row, rank]),
        )
    ordered = np.sort(items, axis=1)
    for row, rank in np.argwhere((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)):
        repeated = keys[int(ordered[row, rank])].as_py()
        raise ParityError(f"row {row} of the compared rows has an item twice", column=ITEM_IDS, got=str(repeated))
    return items


def _scores(served: npt.NDArray[np.float32], items: Ints) -> npt.NDArray[np.float32]:
    """Converts served scores to the form of the offline path: -inf where there is no item."""
    for row, rank in np.argwhere((served == np.float32(NO_SCORE)) != (items < 0)):
        raise ParityError(
            f"row {row} of the compared rows has a score without an item, or an item without a score",
            column=SCORES,
            got=f"{served[row, rank]} at rank {rank}",
        )
    return np.where(items < 0, np.float32(-np.inf), served)


def _check_seen(items: Ints, ids: npt.NDArray[Any], expected: OfflineRecommendations) -> None:
    seen = expected.seen
    for row, rank in np.argwhere(_contained(items, seen.rows, seen.values)):
        raise ParityError(
            f"row {row} of the compared rows has an item that was seen",
            column=ITEM_IDS,
            expected="only items that the user or the history of the row has not",
            got=str(ids[row, rank]),
        )


def _compare_scores(expected: npt.NDArray[Any], got: npt.NDArray[Any], tolerance: float) -> float:
    """Returns the largest difference; above a score of 1 the tolerance is relative: dot products have no scale."""
    if expected.shape != got.shape:
        raise ParityError(
            "served and offline lists differ in length", column=SCORES, expected=str(expected.shape), got=str(got.shape)
        )
    offline, served = expected.astype(np.float64), got.astype(np.float64)
    empty = np.isneginf(offline) & np.isneginf(served)
    with np.errstate(invalid="ignore"):
        differences = np.where(empty, 0.0, np.abs(offline - served))
    allowed = tolerance * np.maximum(1.0, np.where(np.isfinite(offline), np.abs(offline), 1.0))
    for row, rank in np.argwhere(~(differences <= allowed)):
        raise mismatch(SCORES, f"row {row}, rank {rank}", expected[row, rank], got[row, rank])
    return float(differences.max(initial=0.0))


def _compare_items(
    expected: OfflineRecommendations,
    items: Ints,
    scores: npt.NDArray[Any],
    keys: pa.ChunkedArray,
    tolerance: float,
) -> int:
    """Counts the ranks with different items; each must be a tie with the offline score of the item, or the last one."""
    different = np.argwhere(expected.items != items)
    for row, rank in different:
        score = float(scores[row, rank])
        offline_ranks = np.flatnonzero(expected.items[row] == items[row, rank])
        offline = float(expected.scores[row, offline_ranks[0] if len(offline_ranks) else -1])
        if not abs(score - offline) <= 2 * tolerance * max(1.0, abs(score)):
            offline_key, served_key = (
                None if item < 0 else keys[int(item)].as_py() for item in (expected.items[row, rank], items[row, rank])
            )
            raise mismatch(ITEM_IDS, f"row {row}, rank {rank}", offline_key, served_key)
    return len(different)


def _recall(items: Ints, expected: OfflineRecommendations, floor: float) -> float:
    if expected.exact is None:
        return 1.0
    exact = expected.exact
    rows, ranks = np.nonzero(exact >= 0)
    recall = float(_contained(items, rows, exact[rows, ranks]).sum() / max(1, len(rows)))
    if recall < floor:
        raise ParityError(
            "the approximate search finds too few of the exact results",
            expected=f"a share of at least {floor:g}",
            got=f"{recall:.4f} among the first {items.shape[1]}",
            fix="Raise recall_target of evaluate_retrieval, or exact_up_to for an exact search.",
        )
    return recall


def _contained(items: Ints, rows: Ints, values: Ints) -> npt.NDArray[np.bool_]:
    """Tells for each item, (B, K), whether it is one of the values of its row; values and their rows are (M,)."""
    size = int(max(items.max(initial=0), values.max(initial=0))) + 1
    pairs = np.arange(len(items))[:, None] * size + items
    return np.asarray(np.isin(pairs, rows * size + values) & (items >= 0))
