"""The gate before a retrieval ensemble is handed out: it recommends what the offline path does, and nothing seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.blocks.errors import ParityError
from emrys.components.export_ensemble.comparing import TransformTable, ask_both, differs
from emrys.components.export_ensemble.parity import ParityResult
from emrys.components.export_ensemble.recommendation import ITEM_IDS, NO_SCORE, SCORES, is_null
from emrys.components.export_retrieval.backends.retrieve import RetrieveStep
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.offline import Expected
from emrys.components.retrieval.catalogue import positions

STEP = "export_retrieval"

#: Raw rows and the same rows transformed in, what is recommended to each out.
RecommendTable = Callable[[pa.Table, pa.Table], Expected]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RetrievalParity(ParityResult):
    """What the gate found.

    Args:
        rows: Rows that were compared.
        max_abs_difference: Largest difference of two scores.
        through: `triton` when a server answered, `in-process` when the same steps ran without one.
        k: Items that a row gets, K.
        recommended: Items that the rows got, all together.
        short_rows: Rows that got fewer than K.
        ties: Places where both paths have another item of the same score.
        seen_left_out: Seen items of the rows, all together; none of them was recommended.
        search_recall: Share of the exact results that the search gives; 1 for an exact search.
    """

    k: int
    recommended: int
    short_rows: int
    ties: int
    seen_left_out: int
    search_recall: float


def check_parity(
    models: str | os.PathLike[str],
    rows: pa.Table,
    keys: pa.ChunkedArray,
    offline_transform: TransformTable,
    offline_recommend: RecommendTable,
    config: ExportRetrievalConfig,
    recall_floor: float,
) -> RetrievalParity:
    """Sends raw rows through an exported ensemble and through the offline path, and compares.

    The transformed columns are compared first; then it is looked at whether every item is in the catalogue and none
    was seen; then scores, rank by rank, and items, of which those with equal scores may change places.

    Args:
        models: The model repository.
        rows: Raw rows.
        keys: What callers name the items of the catalogue by, (N,).
        offline_transform: The workflow as it was fitted: raw table to transformed table, same rows.
        offline_recommend: The trained model: what is recommended to each row.
        config: Settings of the export.
        recall_floor: Share of the exact results below which an approximate search fails.

    Returns:
        What was found, when everything agrees.

    Raises:
        ParityError: naming the first column that differs, `item_ids` or `scores`, with the row and both values; or if
            an approximate search finds too little.
        DependencyError: if there is no server and `config.require_server` asks for one.
        ServingError: if the server does not start or refuses a row.
    """
    answers = ask_both(models, rows, offline_transform, config, STEP, RetrieveStep)
    expected = offline_recommend(rows, answers.offline)
    ids = answers.served[ITEM_IDS]
    places = _places(ids, keys)
    scores = _scores(answers.served[SCORES], places)
    _check_seen(places, ids, expected)
    difference = _compare_scores(expected.scores, scores, config.tolerance)
    ties = _compare_items(expected, places, scores, keys, config.tolerance)
    return RetrievalParity(
        rows=rows.num_rows,
        max_abs_difference=difference,
        through=answers.through,
        k=places.shape[1],
        recommended=int((places >= 0).sum()),
        short_rows=int((places < 0).any(axis=1).sum()),
        ties=ties,
        seen_left_out=len(expected.seen.values),
        search_recall=_recall(places, expected, recall_floor),
    )


def _places(ids: npt.NDArray[Any], keys: pa.ChunkedArray) -> Ints:
    """Places of served items in the catalogue, -1 for null."""
    strings = ids.dtype == np.object_
    flat = np.array([one.decode("utf-8", "replace") for one in ids.reshape(-1)], object) if strings else ids.reshape(-1)
    among = np.array(keys.to_pylist(), object) if strings else keys.to_numpy()
    places = positions(flat, among).reshape(ids.shape)
    for row, place in np.argwhere((places < 0) & ~is_null(ids)):
        raise ParityError(
            f"row {row} of those compared got an item that is not in the catalogue",
            column=ITEM_IDS,
            got=str(ids[row, place]),
        )
    in_order = np.sort(places, axis=1)
    for row, place in np.argwhere((in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] >= 0)):
        twice = keys[int(in_order[row, place])].as_py()
        raise ParityError(f"row {row} of those compared got an item twice", column=ITEM_IDS, got=str(twice))
    return places


def _scores(served: npt.NDArray[np.float32], places: Ints) -> npt.NDArray[np.float32]:
    """Served scores, -inf where there is no item, as offline."""
    for row, rank in np.argwhere((served == np.float32(NO_SCORE)) != (places < 0)):
        raise ParityError(
            f"row {row} of those compared has a score without an item, or an item without a score",
            column=SCORES,
            got=f"{served[row, rank]} at rank {rank}",
        )
    return np.where(places < 0, np.float32(-np.inf), served)


def _check_seen(places: Ints, ids: npt.NDArray[Any], expected: Expected) -> None:
    seen = expected.seen
    for row, place in np.argwhere(_among(places, seen.rows, seen.values)):
        raise ParityError(
            f"row {row} of those compared got an item that its user has seen",
            column=ITEM_IDS,
            expected="none of those",
            got=str(ids[row, place]),
        )


def _compare_scores(expected: npt.NDArray[Any], got: npt.NDArray[Any], tolerance: float) -> float:
    """The largest difference; the tolerance is one of the score where that is above 1, for products have no scale."""
    if expected.shape != got.shape:
        raise ParityError("the lists differ in length", column=SCORES, expected=str(expected.shape), got=str(got.shape))
    wanted, found = expected.astype(np.float64), got.astype(np.float64)
    none = np.isneginf(wanted) & np.isneginf(found)
    with np.errstate(invalid="ignore"):
        differences = np.where(none, 0.0, np.abs(wanted - found))
    allowed = tolerance * np.maximum(1.0, np.where(np.isfinite(wanted), np.abs(wanted), 1.0))
    for row, rank in np.argwhere(~(differences <= allowed)):
        raise differs(SCORES, f"row {row}, rank {rank}", expected[row, rank], got[row, rank])
    return float(differences.max(initial=0.0))


def _compare_items(
    expected: Expected, places: Ints, scores: npt.NDArray[Any], keys: pa.ChunkedArray, tolerance: float
) -> int:
    """Number of places with another item; each has the score of one that offline has there, or of the last."""
    different = np.argwhere(expected.places != places)
    for row, rank in different:
        score = float(scores[row, rank])
        there = np.flatnonzero(expected.places[row] == places[row, rank])
        offline = float(expected.scores[row, there[0] if len(there) else -1])
        if not abs(score - offline) <= 2 * tolerance * max(1.0, abs(score)):
            wanted, found = (
                None if place < 0 else keys[int(place)].as_py()
                for place in (expected.places[row, rank], places[row, rank])
            )
            raise differs(ITEM_IDS, f"row {row}, rank {rank}", wanted, found)
    return len(different)


def _recall(places: Ints, expected: Expected, floor: float) -> float:
    if expected.exact is None:
        return 1.0
    exact = expected.exact
    rows, ranks = np.nonzero(exact >= 0)
    recall = float(_among(places, rows, exact[rows, ranks]).sum() / max(1, len(rows)))
    if recall < floor:
        raise ParityError(
            "the approximate search finds too little of what the exact one finds",
            expected=f"a share of at least {floor:g}",
            got=f"{recall:.4f} among the first {places.shape[1]}",
            fix="Raise recall_target of evaluate_retrieval, or exact_up_to for an exact search.",
        )
    return recall


def _among(places: Ints, rows: Ints, values: Ints) -> npt.NDArray[np.bool_]:
    """Whether each place, (B, K), is one of the values of its row; values and their rows are (M,)."""
    size = int(max(places.max(initial=0), values.max(initial=0))) + 1
    pairs = np.arange(len(places))[:, None] * size + places
    return np.asarray(np.isin(pairs, rows * size + values) & (places >= 0))
