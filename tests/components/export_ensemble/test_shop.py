"""The step on rows with every type of column: a model of several targets, and one that knows nothing of the library."""

from __future__ import annotations

import pytest

from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_ensemble.step import run
from emrys.components.infer_schema.step import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from tests.components.export_ensemble.test_exporting import no_server  # noqa: F401
from tests.components.preprocess import shop
from tests.components.serving.conftest import need_server

pytestmark = pytest.mark.slow

FEATURES = {
    "visitor": ["categorify", "count_by", {"target_encoding": "bought"}],
    "sku": ["categorify"],
    "ts": ["hour", "weekday"],
    "last_sku": [{"hash": 9}],
    "plan": ["categorify", {"mean_by": "price"}],
    "price": [{"fill": "median"}, {"clip": {"min": 0}}, "log", "normalize"],
    "stock": [{"fill": 0}, "min_max"],
    "tags": ["categorify", "length"],
    "codes": [{"categorify": {"min_count": 2}}],
    "prices": [{"clip": {"min": -5, "max": 100}}],
    "image": [{"clip": {"min": -1, "max": 1}}],
    "recent": {"history_of": "sku", "length": 4},
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    shop.fit(folder, FEATURES, shop.SCHEMA, shop.rows(400, 0), shop.rows(50, 1), shop.rows(200, 2))
    infer_schema(folder / "data", folder / "workflow", SchemaConfig(), folder / "schema")
    return folder


def export(log, folder, config, require_server=False):
    build_model(log / "schema", config, folder / "model")
    parts = (folder / "model", log / "workflow", log / "schema", log / "splits")
    settings = ExportConfig(name="shop", require_server=require_server, parity_rows=150, start_timeout=90.0)
    return run(*parts, settings, folder / "triton").metadata


def test_every_type_of_column_is_served_as_trained(log, tmp_path):
    need_server()
    facts = export(log, tmp_path, BuildModelConfig(architecture="mmoe", embedding_dim=4), require_server=True)
    assert {column["name"] for column in facts["inputs"]} == set(FEATURES)
    assert [(one["name"], one["kind"]) for one in facts["outputs"]] == [
        ("bought", "binary"),
        ("stayed", "binary"),
        ("stars", "classes"),
    ]
    assert facts["outputs"][2]["classes"] == [1, 2, 3]
    # 150 rows; two edge cases for each of two texts and four integers, three for a number; five for each of four lists,
    # four for the vector, and two.
    assert (facts["parity"]["rows"], facts["parity"]["through"]) == (150 + 6 * 2 + 3 + 4 * 5 + 4 + 2, "triton")


def test_a_model_of_ones_own_goes_through_the_step(log, tmp_path, no_server):  # noqa: F811
    config = BuildModelConfig(
        module="tests.components.export_ensemble.own_model:build", tasks={"stars": 1.0, "bought": 1.0}
    )
    facts = export(log, tmp_path, config)
    assert [one["tensor"] for one in facts["outputs"]] == ["bought", "stars"]
    assert facts["parity"]["through"] == "in-process"
