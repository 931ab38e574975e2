"""Architectures of one's own: features, connects, a subclass of `Block`, Keras layers in between.

Calls:
    mm.ContinuousFeatures.from_schema(_, tags=_)
    mm.EmbeddingFeatures.from_schema(_)
    mm.ParallelBlock(_)
    continuous_block.connect(_)
    inputs.connect_with_shortcut(_, shortcut_filter=_, aggregation=_)
    mm.DotProductInteractionBlock()
    mm.Filter(_)
    mm.sample_batch(_, batch_size=_, shuffle=_, include_targets=_)
    mm.MLPBlock(_)
    mm.BinaryOutput(_)
    mm.RegressionOutput(_)
    mm.Model(_, _)
    body.connect_with_residual(_, activation=_)
    body.connect_branch(_, _, aggregation=_)
    mm.CrossBlock(_)
    block.as_tabular(_)
    model.compile(optimizer=_, metrics=_)
    model.fit(_, batch_size=_, epochs=_)
    model.evaluate(_, batch_size=_, return_dict=_)
    model.save(_)
"""

import os
import tempfile

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 4)))
SIZES = {"userId": 80, "movieId": 60, "gender": 3}
CONTINUOUS = ["TE_user", "TE_movie"]

random = np.random.default_rng(4)
frame = {name: random.integers(1, size + 1, 4096) for name, size in SIZES.items()}
frame |= {name: random.normal(size=4096).astype("float32") for name in CONTINUOUS}
frame["rating"] = (3 + frame["TE_user"] + frame["TE_movie"]).astype("float32")
frame["rating_binary"] = (frame["rating"] > 3).astype("int64")
schema = Schema(
    [
        ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL], properties={"domain": {"min": 0, "max": size}})
        for name, size in SIZES.items()
    ]
    + [ColumnSchema(name, dtype="float32", tags=[Tags.CONTINUOUS]) for name in CONTINUOUS]
    + [
        ColumnSchema("rating", dtype="float32", tags=[Tags.REGRESSION, Tags.TARGET]),
        ColumnSchema("rating_binary", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)
train = Dataset(pd.DataFrame(frame), schema=schema)
batch = mm.sample_batch(train, batch_size=5, shuffle=False, include_targets=False)
assert batch["userId"].shape == (5, 1)

# a DLRM put together of its parts
sub_schema = schema.select_by_name([*SIZES, *CONTINUOUS])
continuous_block = mm.ContinuousFeatures.from_schema(sub_schema, tags=Tags.CONTINUOUS)
deep_continuous_block = continuous_block.connect(mm.MLPBlock([64]))
embedding_block = mm.EmbeddingFeatures.from_schema(sub_schema)
embeddings = embedding_block(batch)
assert set(embeddings) == set(SIZES)
assert embeddings["userId"].shape == (5, 64)
inputs = mm.ParallelBlock({"embeddings": embedding_block, "deep_continuous": deep_continuous_block})
assert {name: tuple(value.shape) for name, value in inputs(batch).items()} == dict.fromkeys(
    [*SIZES, "deep_continuous"], (5, 64)
)
interaction = inputs.connect_with_shortcut(
    mm.DotProductInteractionBlock(),
    shortcut_filter=mm.Filter("deep_continuous"),
    aggregation="concat",
)
# 4 vectors have 6 products, beside the 64 of the shortcut
assert interaction(batch).shape == (5, 70)
model = mm.Model(interaction.connect(mm.MLPBlock([32, 16])), mm.BinaryOutput("rating_binary"))
model.compile(optimizer="adam", metrics=[tf.keras.metrics.AUC()])
history = model.fit(train, batch_size=512, epochs=2, verbose=0)
assert history.history["auc"][-1] > history.history["auc"][0]
metrics = model.evaluate(train, batch_size=512, return_dict=True, verbose=0)
print(f"parts of a DLRM, auc: {metrics['auc']:.4f}")
assert metrics["auc"] > 0.9, metrics  # 0.5 by chance
with tempfile.TemporaryDirectory() as folder:
    model.save(os.path.join(folder, "custom_dlrm"))
    loaded = mm.Model.load(os.path.join(folder, "custom_dlrm"))
valid = mm.Loader(train, batch_size=512, shuffle=False)
np.testing.assert_allclose(loaded.predict(valid), model.predict(valid), rtol=1e-4)


# a block of one's own between Keras layers
@tf.keras.utils.register_keras_serializable(package="my_project")
class Squeeze(mm.Block):
    """Weighs each channel by a gate: x * sigmoid(Wx)."""

    def build(self, input_shape):
        self.gate = tf.keras.layers.Dense(input_shape[-1], activation="sigmoid")
        self.gate.build(input_shape)
        super().build(input_shape)

    def call(self, inputs):
        return inputs * self.gate(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


body = mm.InputBlockV2(sub_schema, categorical=mm.Embeddings(sub_schema.select_by_tag(Tags.CATEGORICAL), dim=8))
assert body(batch).shape == (5, 3 * 8 + 2)
body = body.connect(tf.keras.layers.Dense(32, activation="relu"), Squeeze())
body = body.connect_with_residual(mm.MLPBlock([32]), activation="relu").connect(tf.keras.layers.Dropout(0.1))
towers = body.connect_branch(mm.MLPBlock([16]).as_tabular("a"), mm.CrossBlock(2).as_tabular("b"), aggregation="concat")
assert towers(batch).shape == (5, 16 + 32)
model = mm.Model(towers, mm.RegressionOutput("rating"))
model.compile(optimizer=tf.keras.optimizers.Adam(0.01))
history = model.fit(train, batch_size=512, epochs=3, verbose=0).history
print(f"blocks of one's own, rmse: {history['root_mean_squared_error'][-1]:.4f}")
assert history["loss"][-1] < 0.2 * history["loss"][0], history["loss"]
assert "root_mean_squared_error" in history
