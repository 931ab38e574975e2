from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.preprocess.offline import OfflineWorkflow
from emrys.components.preprocess.own_features import own_features
from emrys.components.recipe import operators
from tests.components.preprocess import own_graphs, shop

MODULE = own_graphs.__name__


@pytest.mark.slow
def test_a_graph_is_served_as_it_was_fitted(tmp_path: Path) -> None:
    table = shop.rows(200, 0)
    features = {"ts": ["hour"]}
    data, artifact = shop.fit(tmp_path, features, shop.SCHEMA, table, module=f"{MODULE}:everything")
    workflow = artifact.workflow
    assert data.columns[:15] == (
        *("ts_hour", "visitor", "sku", "last_sku", "price_log", "stock", "filled", "plan", "price"),
        *("TE_visitor_bought", "plan_X_visitor", "tags", "codes"),
        *("bought", "stayed"),
    )
    outputs = {column.name: column for column in workflow.output_columns}
    assert (outputs["last_sku"].domain, outputs["last_sku"].cardinality) == ("sku", outputs["sku"].cardinality)
    other = shop.rows(60, 1, skus=20)
    with OfflineWorkflow(workflow) as offline:
        made, served = offline.transform(other), workflow.transform_table(other)
    for name in served.column_names:
        if outputs[name].dtype == "int64":
            assert made[name].to_pylist() == served[name].to_pylist()
        else:
            np.testing.assert_allclose(made[name], served[name], rtol=1e-6, atol=1e-6)
    # NVTabular itself gives the same numbers, where a number is there and has a logarithm.
    rows = pq.read_table(tmp_path / "splits" / "train.parquet").to_pandas()["price"]
    rows = rows.where(np.isfinite(rows))
    logs = np.log1p(rows.clip(lower=0).astype(float))
    expected = ((logs - logs.mean()) / logs.std())[rows.notna()]
    np.testing.assert_allclose(data.read("train")["price_log"].to_numpy()[rows.notna()], expected, rtol=1e-4, atol=1e-5)
    assert outputs["codes"].cardinality <= 20


def test_a_part_of_a_workflow_is_translated() -> None:
    (feature,) = own_features(f"{MODULE}:workflow", shop.SCHEMA)
    assert (feature.output, feature.steps) == ("price", (operators.Normalize(),))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("function", "cannot be served: LambdaOp has no online form"),
        ("function", "has no online form; expected one of Categorify, HashBucket, HashedCross, Bucketize, FillMissing"),
        ("filtered", "cannot be served: DropLowCardinality has no online form; expected one of Categorify, HashBucket"),
        ("indicator", "add_binary_cols of FillMissing has no online form"),
        ("renamed", "column 'TE_visitor_bought': the graph of"),
        ("renamed", "Rename of a target encoding has no online form"),
        ("scaled_ids", "column 'sku': the graph of"),
        ("scaled_ids", "Normalize after categorify has no online form; expected a chain of numbers"),
        ("text", "Normalize does not fit the column; expected numbers"),
        ("target", "column 'bought': the graph of"),
        ("misspelt", "selects a column that is no feature; expected visitor, sku"),
        ("misspelt", "Did you mean 'price'?"),
        ("nothing", "returned no graph; expected a WorkflowNode of NVTabular, got list"),
        ("broken", "failed (ZeroDivisionError: unlucky)"),
        ("absent", "has no function 'absent'. Name it as tests.components.preprocess.own_graphs:function."),
    ],
)
def test_graphs_that_cannot_be_served(function: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        own_features(f"{MODULE}:{function}", shop.SCHEMA)
    assert message in str(caught.value)


def test_modules_that_are_not_there() -> None:
    with pytest.raises(ConfigError, match=r"module shop_of_nobody\.features cannot be imported .*Put its folder on"):
        own_features("shop_of_nobody.features", shop.SCHEMA)
    with pytest.raises(ConfigError, match="has no function 'features'"):
        own_features(MODULE, shop.SCHEMA)


def test_outputs_of_the_same_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="column 'price': the module has an output of the same name as a feature"):
        shop.fit(tmp_path, {"price": ["log"]}, shop.SCHEMA, shop.rows(20, 0), module=f"{MODULE}:workflow")
