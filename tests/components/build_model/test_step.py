import json
import subprocess
import sys
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.components.build_model.step import BuildModelConfig, build_model, run
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact

IDS = [
    mm.create_categorical_column("user", 4, tags=[Tags.USER_ID], dtype="int64"),
    mm.create_categorical_column("item", 3, tags=[Tags.ITEM_ID], dtype="int64"),
]
GENRES = mm.create_categorical_column("genres", 6, dtype="int64", min_value_count=0, max_value_count=3)
AGE = mm.create_continuous_column("age", tags=[Tags.USER])
TARGETS = [
    ColumnSchema("rating_binary", dtype="int8", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ColumnSchema("rating", dtype="float32", tags=[Tags.REGRESSION, Tags.TARGET]),
]
ALL = Schema([*IDS, GENRES, AGE, *TARGETS])
SMALL = BuildModelConfig(embedding_dim=2, bottom_layers=(5,), top_layers=(3,), ema_momentum=0.9)

BATCH = {"user": [[1], [4], [0]], "item": [[2], [3], [1]], "age": [[0.5], [-1.0], [0.0]]}
LISTS = [[3, 6], [], [1]]


def batch(lists):
    return {
        "user": np.array(BATCH["user"]),
        "item": np.array(BATCH["item"]),
        "age": np.array(BATCH["age"], "float32"),
        "genres": tf.ragged.constant(lists, dtype="int64", row_splits_dtype="int64"),
    }


def build(folder, config=SMALL, schema=ALL):
    if not (folder / "schema").exists():
        FeatureSchema.write(folder / "schema", schema, {})
    return run(folder / "schema", config, folder / "model")


def test_written_files(tmp_path, capfd):
    artifact = build(tmp_path)
    assert set(artifact.files) == {"model.keras", "summary.txt"}
    # tables 2 * (5 + 4 + 7) = 32; bottom 1 * 5 + 5 and 5 * 2 + 2: 22; 4 vectors give 6 products, 2 are beside them:
    # top 8 * 3 + 3 = 27; output 3 + 1 = 4
    options = {
        "embedding_dim": 2, "embeddings_l2": 0.0, "dropout": 0.0, "task_layers": [], "bottom_layers": [5],
        "top_layers": [3],
    }  # fmt: skip
    assert artifact.metadata == {
        "config": {**asdict(SMALL), "bottom_layers": [5], "top_layers": [3], "options": options},
        "parameters": 85,
        "trained": False,
        "targets": {"rating_binary": "binary"},
        "sample_space": {},
        "modules": [],
    }
    assert "Total params: 85 " in artifact.summary
    assert '"text": "85 parameters"' in capfd.readouterr().err


@pytest.mark.slow
def test_the_loaded_model_is_compiled_as_the_configuration_says(tmp_path):
    model = build(tmp_path, replace(SMALL, learning_rate=0.25)).load()
    assert float(model.optimizer.learning_rate) == 0.25
    assert (model.optimizer.use_ema, model.optimizer.ema_momentum) == (True, 0.9)
    assert [output.target for output in model.model_outputs] == ["rating_binary"]


def test_without_moving_averages():
    assert build_model(ALL, replace(SMALL, ema_momentum=0.0)).optimizer.use_ema is False


def test_embeddings_l2_is_added_to_the_loss():
    model = build_model(ALL, replace(SMALL, embeddings_l2=0.5, dropout=0.0))
    for weight in model.weights:
        weight.assign(tf.ones_like(weight.value))
    model(batch([[1], [1], [1]]), training=True)
    # Three features look ones up in three rows, D = 2: nine sums of squares of 2, times 0.5.
    assert sum(float(loss) for loss in model.losses) == pytest.approx(9.0)


@pytest.mark.slow
def test_one_seed_gives_one_model_and_another_seed_another(tmp_path):
    first = build_model(ALL, SMALL).get_weights()
    loaded = build(tmp_path).load().get_weights()
    other = build_model(ALL, replace(SMALL, seed=43)).get_weights()
    for one, same, different in zip(first, loaded, other, strict=True):
        np.testing.assert_array_equal(one, same)
        if one.ndim == 2:  # biases are 0 whatever the seed
            assert not np.any(one == different)


@pytest.mark.slow
def test_a_fresh_process_predicts_the_same(tmp_path):
    artifact = build(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of an optimizer that was saved without its variables, above all
        artifact.load()
    code = (
        "import json, sys\n"
        "import numpy as np, tensorflow as tf\n"
        "from emrys.components.contracts.model import ModelArtifact\n"
        "columns, lists = json.loads(sys.argv[2])\n"
        "model = ModelArtifact(sys.argv[1]).load()\n"
        "features = {name: np.array(rows, 'float32' if name == 'age' else 'int64') for name, rows in columns.items()}\n"
        "features['genres'] = tf.ragged.constant(lists, dtype='int64', row_splits_dtype='int64')\n"
        "print(json.dumps(model(features).numpy().tolist()))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(artifact.path), json.dumps([BATCH, LISTS])],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert result.returncode == 0, result.stderr[-3000:]
    expected = build_model(ALL, SMALL)(batch(LISTS)).numpy()
    np.testing.assert_allclose(json.loads(result.stdout), expected, rtol=1e-6)
    assert len(np.unique(expected)) == 3


def test_a_list_counts_by_its_mean():
    model = build_model(ALL, SMALL)
    for weight in model.weights:  # no layer is dead, whatever the seed
        weight.assign(tf.abs(weight.value) + 0.1)
    one, twice, turned = (model(batch([lists] * 3)).numpy() for lists in ([3, 6], [3, 6, 3, 6], [6, 3]))
    np.testing.assert_allclose(one, twice, rtol=1e-6)
    np.testing.assert_allclose(one, turned, rtol=1e-6)
    assert np.all(one != model(batch([[3]] * 3)).numpy())


@pytest.mark.slow
def test_a_schema_without_continuous_columns(tmp_path):
    artifact = build(tmp_path, schema=Schema([*IDS, *TARGETS]))
    # tables 2 * (5 + 4) = 18; 2 vectors give 1 product: top 1 * 3 + 3 = 6; output 3 + 1 = 4
    assert artifact.metadata["parameters"] == 28
    model = artifact.load()
    users, items = (table.numpy() for table in model.weights[:2])
    kernel, bias, last, last_bias = (weight.numpy() for weight in model.weights[2:])
    hidden = np.maximum((users[4] @ items[3]) * kernel[0] + bias, 0)
    expected = 1 / (1 + np.exp(-(hidden @ last + last_bias)))
    found = model({"user": np.array([[4]]), "item": np.array([[3]])}).numpy()
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_a_model_stands_on_no_target():
    # The features are the same whichever target is asked for, and no target is one of them.
    for target in ("rating_binary", "rating"):
        model = build_model(ALL, replace(SMALL, target=target))
        assert model.count_params() == 85
        assert model.input_schema.column_names == ["user", "item", "genres", "age"]


@pytest.mark.parametrize(
    ("schema", "target", "text"),
    [
        (ALL, "click", "column 'click': the schema has no such target; expected one of rating_binary, rating"),
        (ALL, "age", "column 'age': the schema has no such target; expected one of rating_binary, rating"),
        (
            Schema([*IDS, AGE]),
            "rating_binary",
            "column 'rating_binary': the schema has no such target; expected a column tagged TARGET",
        ),
    ],
)
def test_a_target_that_the_schema_lacks(tmp_path, schema, target, text):
    with pytest.raises(ConfigError) as caught:
        build(tmp_path, replace(SMALL, target=target), schema)
    assert str(caught.value) == f"build_model: {text}"
    assert [path.name for path in tmp_path.iterdir()] == ["schema"]


def test_a_schema_that_is_not_there(tmp_path):
    with pytest.raises(ArtifactError, match=r"^build_model: .*schema: the artifact is missing; expected"):
        run(tmp_path / "schema", SMALL, tmp_path / "model")


@pytest.mark.slow
def test_again_on_the_same_output(tmp_path):
    build(tmp_path)
    again = build(tmp_path, replace(SMALL, top_layers=(4,)))
    # one more unit above 8 inputs and their bias, and one more weight of the output: 85 + 9 + 1
    assert ModelArtifact(tmp_path / "model").metadata["parameters"] == again.metadata["parameters"] == 95
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "schema"]


OPTION = "the value cannot be used; expected "


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"embedding_dim": 0}, f"model.embedding_dim: {OPTION}at least 1, got 0"),
        ({"bottom_layers": (8, -1)}, f"model.bottom_layers.1: {OPTION}at least 1, got -1"),
        (
            {"top_layers": (), "dropout": 1.0},
            f"model.dropout: {OPTION}less than 1, got 1.0; model.top_layers: {OPTION}at least 1 width, got ()",
        ),
        ({"dropout": -0.1}, f"model.dropout: {OPTION}at least 0, got -0.1"),
        ({"embeddings_l2": float("nan")}, f"model.embeddings_l2: {OPTION}at least 0, got nan"),
        (
            {"options": {"dept": 3}, "architecture": "dcn"},
            "model.dept: no such option of dcn; expected one of embedding_dim, embeddings_l2, dropout, task_layers, "
            "depth, deep_layers, stacked, got 'dept'. Did you mean 'depth'?",
        ),
        ({"optimizer": "adamw"}, "optimizer; expected lazy_adam, adam, adagrad, sgd, got 'adamw'"),
        ({"target": "a", "tasks": {"b": 1.0}}, "target and tasks; expected one of them, got both"),
        ({"ema_momentum": 1.0}, "ema_momentum; expected 0 to below 1, got 1.0"),
        ({"learning_rate": 0.0}, "learning_rate; expected a number above 0, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate; expected a number above 0, got nan"),
        ({"seed": -1}, "seed; expected 0 to below 2**32, got -1"),
        ({"seed": 2**32}, "seed; expected 0 to below 2**32, got 4294967296"),
    ],
)
def test_values_that_cannot_be(change, text):
    with pytest.raises(ConfigError) as caught:
        BuildModelConfig(**change)
    assert str(caught.value).removesuffix(".") == f"build_model: {text}".removesuffix(".")
