"""The parity check on the small ensemble with string ids: what passes and what fails."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import DataError, DependencyError, ParityError, SchemaError
from emrys.blocks.workflow import Fill, FittedWorkflow, NumberChain
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.export_retrieval.parity import comparison_queries
from emrys.components.retrieval.ragged_array import RaggedArray
from emrys.components.serving.columns import Column
from tests.components.serving import small_recommender as small

pytestmark = pytest.mark.usefixtures("no_server")


def changed(**changes):
    """The offline path with changed results: each change is a function of the expected results."""

    def recommend(rows, transformed):
        expected = small.offline_recommend(rows, transformed)
        return dataclasses.replace(expected, **{name: change(expected) for name, change in changes.items()})

    return recommend


def fails(export_small, output, **changes):
    with pytest.raises(ParityError) as caught:
        export_small(output, **changes)
    assert not output.exists()
    return str(caught.value)


@pytest.mark.slow
def test_the_summary_of_the_check(words):
    parity = words.metadata["parity"]
    # 40 rows; two edge cases for a text and three for a number, five for the list, two for all; the user with the most
    # seen items, and two long histories.
    assert (parity["rows"], parity["k"], parity["ties"]) == (40 + 2 + 3 + 5 + 2 + 3, 4, 0)
    assert parity["max_abs_difference"] < 1e-5
    assert parity["short_rows"] > 2
    assert words.metadata["outputs"][0] == {
        "name": "item_ids",
        "dtype": "string",
        "is_list": True,
        "cardinality": None,
        "length": None,
    }
    page = (words.path / "README.md").read_text().replace("\n", " ")
    assert "the rest of `item_ids` is null (the empty string), and the rest of `scores` is -3.4028235e+38" in page


@pytest.mark.slow
def test_a_score_that_differs(export_small, tmp_path):
    message = fails(
        export_small, tmp_path / "triton", offline_recommend=changed(scores=lambda expected: expected.scores + 0.01)
    )
    assert message.startswith("column 'scores': ")
    assert "row 0, rank 0 of the compared rows; expected" in message
    export_small(
        tmp_path / "triton", offline_recommend=changed(scores=lambda expected: expected.scores + np.float32(5e-5))
    )


@pytest.mark.slow
def test_a_list_that_ends_elsewhere(export_small, tmp_path):
    def shorter(expected):
        return np.where(np.arange(4) < 3, expected.scores, -np.inf).astype(np.float32)

    message = fails(export_small, tmp_path / "triton", offline_recommend=changed(scores=shorter))
    assert message.startswith("column 'scores': ")
    assert "row 0, rank 3 of the compared rows; expected -inf" in message


@pytest.mark.slow
def test_another_item_with_another_score(export_small, tmp_path):
    message = fails(
        export_small, tmp_path / "triton", offline_recommend=changed(items=lambda expected: expected.items[:, ::-1])
    )
    first = small.held_out().to_pylist()[0]
    items = [film for film, _ in small.expected_lists([first])[0]]
    assert message.startswith("column 'item_ids': ")
    assert f"row 0, rank 0 of the compared rows; expected {items[-1]} (offline), got {items[0]} (served)" in message


@pytest.mark.slow
def test_items_of_equal_scores_may_change_places(export_small, tmp_path):
    items = small.ITEMS.copy()
    items[1] = items[0]  # films a and b
    workflow = small.make_workflow()

    def other_first(rows, transformed):
        queries = rows.to_pylist()
        had = [{*small.SEEN.get(one["user"] or "", []), *(one["history"] or [])} for one in queries]
        lists = small.expected_lists(queries, items)
        # Of two films with one score the second one comes first, also where the list has room for one alone.
        indices, scores = np.full((len(lists), 4), -1), np.full((len(lists), 4), -np.inf, np.float32)
        swap = {"film a": "film b", "film b": "film a"}
        for number, recommended in enumerate(lists):
            for rank, (film, score) in enumerate(recommended):
                film = swap[film] if film in swap and not had[number] & set(swap) else film
                indices[number, rank], scores[number, rank] = small.CATALOGUE.index(film), score
        return dataclasses.replace(small.offline_recommend(rows, transformed), items=indices, scores=scores)

    (tmp_path / "recommender").mkdir()
    repository = export_small(
        tmp_path / "triton",
        recommender=small.make_recommender(tmp_path / "recommender", items),
        offline_transform=workflow.transform_table,
        offline_recommend=other_first,
    )
    assert repository.metadata["parity"]["ties"] > 10


@pytest.mark.slow
def test_a_seen_item_fails_the_check(export_small, tmp_path):
    def more(expected):
        # The first row has seen its own best item too.
        return RaggedArray.of(
            np.append(expected.seen.rows, 0), np.append(expected.seen.values, expected.items[0, 0]), len(expected.seen)
        )

    message = fails(export_small, tmp_path / "triton", offline_recommend=changed(seen=more))
    assert message.startswith("column 'item_ids': row 0 ")
    assert "an item that was seen" in message


@pytest.mark.slow
def test_seen_items_that_the_repository_lacks(export_small, tmp_path):
    """The export forgets what Ann has seen."""
    (tmp_path / "recommender").mkdir()
    recommender = small.make_recommender(tmp_path / "recommender", seen={"bob": small.SEEN["bob"]})
    message = fails(export_small, tmp_path / "triton", recommender=recommender)
    assert "an item that was seen" in message


@pytest.mark.slow
def test_a_history_that_is_not_excluded(export_small, tmp_path):
    (tmp_path / "recommender").mkdir()
    recommender = dataclasses.replace(small.make_recommender(tmp_path / "recommender"), histories={})
    assert "an item that was seen" in fails(export_small, tmp_path / "triton", recommender=recommender)


@pytest.mark.slow
def test_a_workflow_that_differs_is_reported_with_the_column(export_small, tmp_path):
    ops = list(small.make_workflow().select(small.QUERY).ops)
    ops[2] = dataclasses.replace(ops[2], categories=ops[2].categories.take([1, 0, *range(2, 8)]))
    FittedWorkflow(ops).save(tmp_path / "wrong")
    message = fails(export_small, tmp_path / "triton", workflow=tmp_path / "wrong")
    assert message.startswith("column 'history': ")
    assert "(offline)" in message


@pytest.mark.slow
def test_an_approximate_search_that_finds_too_little(export_small, tmp_path):
    def exact(expected):
        items = expected.items.copy()
        items[:, 0] = 99  # one of four differs
        return items

    message = fails(export_small, tmp_path / "triton", offline_recommend=changed(exact=exact), recall_floor=0.9)
    for fact in ("a share of at least 0.9, got 0.", "recall_target", "exact_up_to"):
        assert fact in message
    repository = export_small(tmp_path / "triton", offline_recommend=changed(exact=exact), recall_floor=0.1)
    assert 0.6 < repository.metadata["parity"]["search_recall"] < 0.8


@pytest.mark.slow
def test_a_failed_export_keeps_the_previous_repository(export_small, tmp_path):
    before = export_small(tmp_path / "triton").fingerprint
    with pytest.raises(ParityError):
        export_small(
            tmp_path / "triton", offline_recommend=changed(scores=lambda expected: expected.scores + np.float32(1))
        )
    assert TritonRepository(tmp_path / "triton").fingerprint == before


def test_a_required_server(export_small, tmp_path):
    with pytest.raises(DependencyError, match="the Triton server is not installed"):
        export_small(tmp_path / "triton", config=dataclasses.replace(small.CONFIG, require_server=True))
    assert list(tmp_path.iterdir()) == []


def test_user_ids_of_different_types_are_refused(export_small, tmp_path):
    (tmp_path / "recommender").mkdir()
    recommender = small.make_recommender(tmp_path / "recommender", seen={})
    numbers = mm.SeenItems(pa.table({"user": [7], "film": [[3]]}))
    with pytest.raises(SchemaError) as caught:
        export_small(tmp_path / "triton", recommender=dataclasses.replace(recommender, seen=numbers))
    assert str(caught.value).startswith("column 'user': ")
    assert str(caught.value).endswith("expected string, got int64")


def test_a_column_with_a_name_of_the_ensemble_is_refused(export_small, tmp_path):
    user, _, history, _ = small.make_workflow().ops
    age = NumberChain("scores", "float32", (Fill(30.0),), name="age")
    FittedWorkflow([user, age, history]).save(tmp_path / "workflow")
    with pytest.raises(SchemaError, match=r"column 'scores': .* Rename the column"):
        export_small(tmp_path / "triton", workflow=tmp_path / "workflow")


def test_edge_cases_follow_the_sample(tmp_path):
    recommender = small.make_recommender(tmp_path)
    columns = [Column.of(column) for column in small.make_workflow().select(small.QUERY).raw_columns]
    rows = comparison_queries(small.raw_table(small.ROWS), columns, rows=3, seed=0, recommender=recommender).to_pylist()
    first = rows[0]
    assert rows[-3:] == [
        {**first, "user": "bob"},
        {**first, "user": "~ unseen ~", "history": small.CATALOGUE},
        {**first, "user": "~ unseen ~", "history": small.CATALOGUE[1:]},
    ]
    with pytest.raises(DataError, match="there are no held-out rows"):
        comparison_queries(small.raw_table([]), columns, rows=3, seed=0, recommender=recommender)
