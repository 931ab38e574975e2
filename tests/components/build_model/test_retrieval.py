from dataclasses import replace

import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.components.build_model.config import Architecture, BuildModelConfig
from emrys.components.build_model.step import build_model, run
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.recipe.models import MODELS

LABEL = ColumnSchema("rating_binary", dtype="int8", tags=[Tags.TARGET, Tags.BINARY_CLASSIFICATION])
HISTORY = mm.create_categorical_column(
    "history", 7, domain_name="movieId", tags=[Tags.USER, Tags.SEQUENCE], dtype="int64", min_value_count=0,
    max_value_count=5,
)  # fmt: skip
SCHEMA = Schema(
    [
        mm.create_categorical_column("userId", 9, tags=[Tags.USER_ID, Tags.USER], dtype="int64"),
        mm.create_categorical_column("movieId", 7, tags=[Tags.ITEM_ID, Tags.ITEM], dtype="int64"),
        mm.create_categorical_column("gender", 3, tags=[Tags.USER], dtype="int64"),
        HISTORY,
        mm.create_continuous_column("release_year", tags=[Tags.ITEM]),
        LABEL,
    ]
)
SMALL = BuildModelConfig(embedding_dim=4, tower_layers=(6, 3), dropout=0.5, ema_momentum=0.0)


def build(architecture, schema=SCHEMA, **changes):
    return build_model(schema, replace(SMALL, architecture=architecture, **changes))


def test_two_towers_read_what_is_of_users_and_what_is_of_items():
    model = build("two-tower")
    assert sorted(model.query_encoder.input_schema.column_names) == ["gender", "history", "userId"]
    assert sorted(model.candidate_encoder.input_schema.column_names) == ["movieId", "release_year"]
    # Users: tables (10 + 4 + 8) * 4, layers 12 * 6 + 6 and 6 * 3 + 3. Items: table 8 * 4, layers 5 * 6 + 6 and 21.
    # The sampler counts each of the 8 items.
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 88 + 99 + 32 + 57


def test_matrix_factorization_reads_the_ids_alone():
    model = build("matrix-factorization", embeddings_l2=0.5)
    assert sorted(model.input_schema.column_names) == ["movieId", "userId"]
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == (10 + 8) * 4


def test_youtube_dnn_reads_the_history_and_not_the_user():
    model = build("youtube-dnn")
    assert sorted(model.query_encoder.input_schema.column_names) == ["gender", "history"]
    assert model.model_outputs[0].target == "movieId"
    # Tables (4 + 8) * 4, layers 8 * 6 + 6 and 21, and a vector of 3 for each of the 8 items, perhaps with biases.
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) in (48 + 75 + 24, 48 + 75 + 32)


def test_the_last_layer_is_linear():
    encoder = build("two-tower").query_encoder
    batch = {"userId": np.arange(1, 9)[:, None], "gender": np.ones((8, 1), int), "history": np.ones((8, 2), int)}
    assert np.min(encoder(batch).numpy()) < 0


@pytest.mark.parametrize("architecture", [one for one in Architecture if MODELS[one].task == "retrieval"])
@pytest.mark.slow
def test_a_written_model_loads_compiled(tmp_path, architecture):
    FeatureSchema.write(tmp_path / "schema", SCHEMA, {})
    artifact = run(tmp_path / "schema", replace(SMALL, architecture=architecture, learning_rate=0.5), tmp_path / "m")
    assert artifact.metadata["config"]["architecture"] == architecture.value
    model = artifact.load()
    assert isinstance(model, mm.RetrievalModelV2)
    assert float(model.optimizer.learning_rate) == 0.5
    for one, same in zip(build(architecture).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


def test_requirements_of_an_architecture():
    without = SCHEMA.excluding_by_name(["history"])
    with pytest.raises(SchemaError, match=r"^build_model: youtube-dnn needs the histories of users; expected a list"):
        build("youtube-dnn", without)
    with pytest.raises(
        SchemaError, match=r"build_model: a retrieval model needs exactly one column tagged USER_ID; got none"
    ):
        build("matrix-factorization", SCHEMA.excluding_by_name(["userId"]))
    with pytest.raises(ConfigError) as caught:
        BuildModelConfig(architecture="dnn")
    assert str(caught.value) == (
        "build_model: architecture cannot be used; expected dlrm, dcn, deepfm, wide-and-deep, mlp, mmoe, cgc, ple, "
        "two-tower, matrix-factorization, youtube-dnn, gpt2, bert4rec, last-item, got 'dnn'"
    )
    with pytest.raises(ConfigError, match=r"model.tower_layers.1: .*expected at least 1, got 0"):
        BuildModelConfig(architecture="two-tower", tower_layers=(8, 0))
    with pytest.raises(ConfigError, match=r"model.tower_layers: .*expected at least 1 width"):
        BuildModelConfig(architecture="two-tower", tower_layers=())
    # One that the architecture does not have is ignored.
    assert BuildModelConfig(architecture="matrix-factorization", tower_layers=(8,)).model_options.embedding_dim == 64
