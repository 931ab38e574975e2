from __future__ import annotations

import dataclasses

import pytest

from emrys.components.build_model.config import Architecture, BuildModelConfig
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.recipe.models import MODELS, check_model, model_targets, option_faults
from emrys.components.recipe.recipe import Recipe

COLUMNS = (
    DataColumn("visitor", "string", Role.USER_ID),
    DataColumn("sku", "string", Role.ITEM_ID),
    DataColumn("recent", "string", Role.HISTORY, is_list=True, history_of="sku", max_length=9),
    DataColumn("price", "float32", Role.ITEM, continuous=True),
)
TARGETS = (
    Target("click", TargetKind.BINARY),
    Target("buy", TargetKind.BINARY),
    Target("spend", TargetKind.REGRESSION),
    Target("grade", TargetKind.CLASSES, classes=("a", "b", "c")),
)


def faults(schema: DataSchema, **model: object) -> list[str]:
    recipe = Recipe.model_validate({"version": 1, "data": {"path": "log.csv"}, "model": model})
    return [str(fault) for fault in check_model(recipe, schema)]


def log(*targets: str, without: tuple[Role, ...] = ()) -> DataSchema:
    columns = tuple(column for column in COLUMNS if column.role not in without)
    return DataSchema(columns, tuple(target for target in TARGETS if target.name in targets))


def test_every_architecture_can_be_named_and_has_neutral_defaults() -> None:
    assert sorted(MODELS) == sorted(each.value for each in Architecture)
    for kind in MODELS.values():
        options = kind.options()
        assert (options.embeddings_l2, getattr(options, "dropout", 0.0)) == (0.0, 0.0)


@pytest.mark.parametrize("name", MODELS)
def test_a_log_that_fits_has_no_faults(name: str) -> None:
    targets = ("click", "buy") if MODELS[name].fewest_targets == 2 else ("click",)
    assert faults(log(*targets), name=name) == []


def test_a_model_that_is_not_known() -> None:
    (fault,) = faults(log("click"), name="dnc")
    assert fault == (
        "model.name: no such model; expected one of dlrm, dcn, deepfm, wide-and-deep, mlp, mmoe, cgc, ple, two-tower, "
        "matrix-factorization, youtube-dnn, gpt2, and 2 more, got 'dnc'. Did you mean 'dcn'?"
    )


def test_all_faults_are_told_at_once() -> None:
    found = faults(
        log("click", "spend", without=(Role.USER_ID, Role.HISTORY)),
        name="youtube-dnn",
        tower_layer=[8],
        dropout=1.5,
        embedding_dim="16",
        tasks={"spend": 1.0, "clik": 0.0},
        sample_space={"click": "spend"},
    )
    assert found == [
        "model.embedding_dim: the value cannot be used; expected a number, got '16'",
        "model.dropout: the value cannot be used; expected less than 1, got 1.5",
        "model.tower_layer: no such option of youtube-dnn; expected one of embedding_dim, embeddings_l2, dropout, "
        "tower_layers, got 'tower_layer'. Did you mean 'tower_layers'?",
        "model.tasks.clik: no such target; expected one of click, spend, got 'clik'. Did you mean 'click'?",
        "model.tasks.clik: the value cannot be used; expected a weight above 0, got 0.0",
        "model.sample_space.click: a sample space is a binary target; got regression",
        "model.sample_space.click: the target is none of the tasks; expected spend, clik, got click",
        "model.name: youtube-dnn cannot predict 'spend'; expected a target of the kind binary, got regression. Give "
        "columns.targets a binary target, such as {from: a column, above: a number}, or feedback: implicit.",
        "model.name: youtube-dnn needs a history of items. Add a history to features, such as recent: {history_of: "
        "sku, length: 50}.",
    ]


@pytest.mark.parametrize(
    ("model", "targets", "facts"),
    [
        ({"name": "mmoe"}, ("click",), ("mmoe needs more targets; expected at least 2, got 1", "one of dlrm, dcn")),
        ({"name": "mlp"}, (), ("mlp needs more targets; expected at least 1, got 0", "columns.targets")),
        ({"name": "deepfm"}, ("click", "buy"), ("deepfm predicts a single target", "model.tasks", "mmoe")),
        (
            {"name": "deepfm"},
            ("grade",),
            ("deepfm cannot predict 'grade'", "Take one of dlrm, dcn, mlp, mmoe, cgc, ple"),
        ),
        ({"name": "gpt2", "embedding_dim": 10, "num_heads": 4}, ("click",), ("num_heads must divide embedding_dim",)),
        ({"name": "dcn", "depth": True}, ("click",), ("model.depth", "expected a number, got True")),
        ({"name": "dcn", "deep_layers": [8, 0]}, ("click",), ("model.deep_layers.1", "at least 1, got 0")),
    ],
)
def test_a_model_that_does_not_fit(model: dict[str, object], targets: tuple[str, ...], facts: tuple[str, ...]) -> None:
    (fault,) = faults(log(*targets), **model)
    for fact in facts:
        assert fact in fault


def test_roles_that_a_model_needs() -> None:
    (fault,) = faults(log("click", without=(Role.USER_ID,)), name="two-tower")
    assert fault == (
        "model.name: two-tower needs the role user_id; expected a column, got none. Name its column in columns.user_id."
    )
    # A history of prices is no history of items.
    other = dataclasses.replace(COLUMNS[2], history_of="price")
    (fault,) = faults(DataSchema((*COLUMNS[:2], other, COLUMNS[3])), name="bert4rec")
    assert "bert4rec needs a history of items" in fault


def test_retrieval_takes_the_first_target_and_implicit_feedback() -> None:
    recipe = Recipe.model_validate({"data": {"path": "log.csv"}, "model": {"name": "two-tower"}})
    assert [target.name for target in model_targets(recipe.model, log("click", "buy"))] == ["click"]
    assert faults(log(), name="two-tower") == []


def test_numbers_of_json_are_whole() -> None:
    # In the parameters of Kubeflow every number is a float.
    assert option_faults("dcn", {"depth": 2.0, "deep_layers": [8.0]}) == []
    assert [str(each) for each in option_faults("dcn", {"depth": 2.5})] == [
        "model.depth: the value cannot be used; expected a whole number, got 2.5"
    ]


def test_parameters_override_the_recipe() -> None:
    recipe = {
        "version": 1, "data": {"path": "log.csv"},
        "model": {"name": "dcn", "depth": 2, "embedding_dim": 8, "tasks": {"click": 1.0}},
        "train": {"learning_rate": 0.5, "optimizer": "adagrad"},
    }  # fmt: skip
    config = BuildModelConfig.of(recipe, embedding_dim=4, dropout=None, top_layers=(7,), seed=3)
    assert config.model_options.model_dump() == {
        "embedding_dim": 4, "embeddings_l2": 0.0, "dropout": 0.0, "task_layers": (), "depth": 2,
        "deep_layers": (256, 128), "stacked": True,
    }  # fmt: skip
    assert (config.tasks, config.learning_rate, config.optimizer, config.seed) == ({"click": 1.0}, 0.5, "adagrad", 3)
    # The options of the recipe belong to its own architecture.
    assert BuildModelConfig.of(recipe, architecture="mlp").model_options.embedding_dim == 16
    assert BuildModelConfig.of({}) == BuildModelConfig()
