"""Vectors trained elsewhere: as the start of a table, as a frozen table, from a data set, and at load time.

Calls:
    mm.TensorInitializer(_)
    mm.Embeddings(_, dim=_, embeddings_initializer=_)
    mm.Embeddings(_, dim=_, embeddings_initializer=_, trainable=_)
    mm.EmbeddingTable.from_pretrained(_, name=_, col_schema=_, trainable=_)
    mm.InputBlockV2(_, categorical=_)
    mm.InputBlockV2(_, categorical=_, pretrained_embeddings=_)
    mm.EmbeddingOptions(embedding_dim_default=_, embeddings_initializers=_)
    mm.DLRMModel(_, embedding_dim=_, embedding_options=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.EmbeddingOperator(_, lookup_key=_, embedding_name=_)
    mm.Loader(_, batch_size=_, transforms=_)
    mm.PretrainedEmbeddings(_, output_dims=_, normalizer=_)
    model.compile(optimizer=_, metrics=_)
    model.fit(_, batch_size=_, epochs=_)
    model.evaluate(_, batch_size=_, return_dict=_)
"""

import os
import tempfile

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 9)))
USERS, MOVIES, D = 30, 40, 8
random = np.random.default_rng(9)
vectors = random.normal(size=(MOVIES + 1, D)).astype("float32")  # a row for each id from 0
user, movie = random.integers(1, USERS + 1, 2048), random.integers(1, MOVIES + 1, 2048)
liked = (vectors[movie, 0] + 0.2 * random.normal(size=2048) > 0).astype("int64")
schema = Schema(
    [
        ColumnSchema(
            "userId",
            dtype="int64",
            tags=[Tags.CATEGORICAL, Tags.USER, Tags.USER_ID],
            properties={"domain": {"min": 0, "max": USERS, "name": "userId"}},
        ),
        ColumnSchema(
            "movieId",
            dtype="int64",
            dims=(None,),
            tags=[Tags.CATEGORICAL, Tags.ITEM, Tags.ITEM_ID],
            properties={"domain": {"min": 0, "max": MOVIES, "name": "movieId"}},
        ),
        ColumnSchema("liked", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)
data = Dataset(pd.DataFrame({"userId": user, "movieId": movie, "liked": liked}), schema=schema)
categorical = schema.select_by_tag(Tags.CATEGORICAL)


def trained(model, data, name, epochs=2):
    model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.02), metrics=[tf.keras.metrics.AUC(name="auc")])
    model.fit(data, batch_size=256, epochs=epochs, verbose=0)
    auc = model.evaluate(data, batch_size=256, return_dict=True, verbose=0)["auc"]
    print(f"{name}, auc: {auc:.4f}")
    return auc


# 1. as the first values of a table, which training changes
embeddings = mm.Embeddings(
    categorical, dim=D, embeddings_initializer={"movieId": mm.TensorInitializer(vectors), "userId": "uniform"}
)
model = mm.Model(mm.InputBlockV2(categorical, categorical=embeddings), mm.MLPBlock([16]), mm.BinaryOutput("liked"))
start = embeddings(mm.sample_batch(data, batch_size=6, include_targets=False))["movieId"]
np.testing.assert_array_equal(start, vectors[movie[:6]])
auc = trained(model, data, "first values")
assert auc > 0.85
assert np.abs(embeddings["movieId"].to_df().to_numpy() - vectors).max() > 0.01

# 2. frozen: `trainable` by column
embeddings = mm.Embeddings(
    categorical,
    dim=D,
    embeddings_initializer={"movieId": mm.TensorInitializer(vectors)},
    trainable={"movieId": False, "userId": True},
)
model = mm.Model(mm.InputBlockV2(categorical, categorical=embeddings), mm.MLPBlock([16]), mm.BinaryOutput("liked"))
auc = trained(model, data, "frozen by column")
assert auc > 0.85
np.testing.assert_array_equal(embeddings["movieId"].to_df().to_numpy(), vectors)

# 3. a table of its own, from a data set such as `to_dataset` or `batch_predict` give
frame = pd.DataFrame(vectors)
frame.columns = [str(name) for name in frame.columns]
table = mm.EmbeddingTable.from_pretrained(frame, name="movieId", col_schema=schema["movieId"], trainable=False)
user_table = mm.EmbeddingTable(D, schema["userId"])
inputs = mm.InputBlockV2(
    categorical, categorical=mm.ParallelBlock({"movieId": table, "userId": user_table}, is_input=True)
)
model = mm.Model(inputs, mm.MLPBlock([16]), mm.BinaryOutput("liked"))
auc = trained(model, data, "table of a data set")
assert auc > 0.85
np.testing.assert_array_equal(table.to_df().to_numpy(), vectors)
with tempfile.TemporaryDirectory() as folder:
    model.save(os.path.join(folder, "model"))
    loaded = mm.Model.load(os.path.join(folder, "model"))
loader = mm.Loader(data, batch_size=256, shuffle=False)
np.testing.assert_allclose(loaded.predict(loader), model.predict(loader), rtol=1e-4)

# 4. first generation
options = mm.EmbeddingOptions(
    embedding_dim_default=D, embeddings_initializers={"movieId": mm.TensorInitializer(vectors)}
)
model = mm.DLRMModel(
    schema,
    embedding_dim=D,
    embedding_options=options,
    bottom_block=mm.MLPBlock([D]),
    top_block=mm.MLPBlock([16]),
    prediction_tasks=mm.BinaryClassificationTask("liked"),
)
auc = trained(model, data, "first generation")
assert auc > 0.85

# 5. not in the model at all: the loader looks the vectors up
loader = mm.Loader(
    data,
    batch_size=256,
    transforms=[mm.EmbeddingOperator(vectors, lookup_key="movieId", embedding_name="movie_vector")],
)
features, _ = next(iter(loader))
assert features["movie_vector"].shape == (256, D)
np.testing.assert_allclose(features["movie_vector"], vectors[np.ravel(features["movieId"])], rtol=1e-6)
found = loader.output_schema.select_by_tag(Tags.EMBEDDING)
assert found.column_names == ["movie_vector"]
inputs = mm.InputBlockV2(
    loader.output_schema.excluding_by_name(["liked"]),
    categorical=mm.Embeddings(categorical, dim=D),
    pretrained_embeddings=mm.PretrainedEmbeddings(found, output_dims=4, normalizer="l2-norm"),
)
assert inputs(features).shape == (256, 2 * D + 4)
model = mm.Model(inputs, mm.MLPBlock([16]), mm.BinaryOutput("liked"))
auc = trained(model, loader, "looked up by the loader")
assert auc > 0.85
