import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.errors import ConfigError
from emrys.blocks.workflow import FittedWorkflow, OutputColumn
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.splits import HISTORY
from emrys.components.contracts.transformed import Transformed
from emrys.components.infer_schema.step import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.offline import transform
from emrys.components.preprocess.step import run
from tests.components.preprocess import raw

ONLY = PreprocessConfig(
    raw.recipe({"userId": ["categorify"], "movieId": ["categorify"], "history": {"history_of": "movieId"}})
)


def with_history(table: pa.Table, lists: list) -> pa.Table:
    return table.append_column(HISTORY, pa.array(lists, HISTORY.type))


@pytest.fixture
def made(tmp_path):
    # 8 three times, 7 twice, 9 once: ids 3, 4 and 5.
    train = with_history(raw.table(movieId=[9, 8, 7, 7, 8, 8]), [[8, 7], [], [9], [9, 9, 8], None, [7]])
    other = with_history(raw.table(movieId=[7, 5]), [[8, 5, 9], [5]])
    splits = raw.write(tmp_path / "splits", train=train, valid=other)
    run(splits, ONLY, data=tmp_path / "data", workflow=tmp_path / "workflow")
    return tmp_path


def test_histories_have_the_ids_of_the_items(made):
    data = Transformed(made / "data")
    assert data.read("train")["movieId"].to_pylist() == [5, 3, 4, 4, 3, 3]
    assert data.read("train")["history"].to_pylist() == [[3, 4], [], [5], [5, 5, 3], [], [4]]
    assert data.read("valid")["history"].to_pylist() == [[3, 2, 5], [2]]  # 5 is unseen
    workflow = FittedWorkflowArtifact(made / "workflow").workflow
    assert workflow.output_columns[-1] == OutputColumn("history", "int64", True, 6, "history", "categorify", "movieId")


def test_requests_get_the_same_as_the_offline_rows(made):
    workflow = FittedWorkflowArtifact(made / "workflow").workflow
    rows = with_history(raw.table(userId=[0, 77], movieId=[9, 1]), [[9, 5, 8], []])
    assert workflow.transform_table(rows).to_pydict() == transform(made / "workflow", rows).to_pydict()
    # A query alone: a user and raw ids of items, padded with what says null.
    query = workflow.select(["userId", "history"])
    assert [column.name for column in query.raw_columns] == ["userId", "history"]
    found = query.transform({"userId": np.array([3]), "history": np.array([[7, 8, -(2**63)]])})
    assert found["history"].tolist() == [[4, 3, 0]]
    query.save(made / "query")
    assert FittedWorkflow.load(made / "query").output_columns == query.output_columns
    with pytest.raises(ConfigError, match="column 'genres': the workflow has no such output column"):
        workflow.select(["genres"])


def test_the_schema_says_that_they_share_a_domain(made):
    schema = infer_schema(made / "data", made / "workflow", SchemaConfig(), made / "schema")
    assert schema.roles["history"] == "history"
    column = schema.schema["history"]
    assert {tag.value for tag in column.tags} == {"categorical", "user", "sequence"}
    assert (column.int_domain.name, column.int_domain.max) == ("movieId", 5)
    assert (column.is_list, column.is_ragged) == (True, True)
