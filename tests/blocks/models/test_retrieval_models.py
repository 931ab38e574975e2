"""Retrieval models: golden parameter counts and keys, whole catalogues, files, wrong use."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError
from tests import golden
from tests.blocks.models.retrieval import (
    HISTORY,
    ITEMS,
    SCHEMA,
    USERS,
    catalogue,
    first,
    histories,
    log,
    two_tower,
)  # fmt: skip

SEQUENCES = HISTORY.select_by_tag(Tags.SEQUENCE)

#: By the description of the model in the golden cases.
MODELS = {
    "TwoTowerModelV2(Encoder(user columns, MLPBlock([4])), Encoder(item columns, MLPBlock([4])))": two_tower,
    "MatrixFactorizationModelV2(schema, dim=4)": lambda: mm.MatrixFactorizationModelV2(SCHEMA, dim=4),
    "TwoTowerModel(schema, query_tower=MLPBlock([4]))": lambda: mm.TwoTowerModel(SCHEMA, query_tower=mm.MLPBlock([4])),
    "MatrixFactorizationModel(schema, dim=4)": lambda: mm.MatrixFactorizationModel(SCHEMA, dim=4),
    "YoutubeDNNRetrievalModelV2(schema, top_block=MLPBlock([8]), num_sampled=15)": lambda: (
        mm.YoutubeDNNRetrievalModelV2(HISTORY, top_block=mm.MLPBlock([8]), num_sampled=15)
    ),
}

quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def _trained(model, data=None, **kwargs):
    model.compile()
    model.fit(log() if data is None else data, batch_size=24, verbose=0, **kwargs)
    return model


@quiet
@pytest.mark.parametrize(
    "case", golden.cases("conventions", "model keys", where=lambda case: case.args["model"] in MODELS)
)
@pytest.mark.slow
def test_golden_keys_and_parameters(case):
    model = MODELS[case.args["model"]]()
    lists = "Youtube" in case.args["model"]
    data = histories() if lists else log()
    pre = mm.SequencePredictLast(SEQUENCES, "item_id_seq") if lists else None
    model.compile()
    history = model.fit(data, batch_size=24, verbose=0, pre=pre).history
    found = model.evaluate(data, batch_size=24, verbose=0, return_dict=True, pre=pre)
    assert sorted(history) == case.outputs["fit_history_keys"]
    assert sorted(found) == case.outputs["evaluate_keys"]
    shapes = sorted(list(weight.shape) for weight in model.trainable_weights)
    assert shapes == case.outputs["trainable_weight_shapes"]
    assert list(model(first(data)).shape) == case.outputs["output"]


@pytest.mark.slow
@pytest.mark.parametrize("case", golden.cases("conventions", "query_embeddings"))
def test_golden_embeddings(case):
    model = _trained(two_tower())
    queries = model.query_embeddings(log(), index=Tags.USER_ID, batch_size=8).compute()
    candidates = model.candidate_embeddings(log(), index=Tags.ITEM_ID, batch_size=8).compute()
    assert list(queries.columns) == case.outputs["query_columns"]
    assert queries.index.name == case.outputs["query_index_name"]
    assert list(candidates.columns) == case.outputs["candidate_columns"]
    assert candidates.index.name == case.outputs["candidate_index_name"]
    assert len(queries) == case.outputs["n_rows"]
    batch = first(log(), 24)
    np.testing.assert_allclose(queries, model.query_encoder(batch), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(candidates, model.candidate_encoder(batch), rtol=1e-5, atol=1e-6)
    assert candidates.index.tolist() == batch["item_id"].numpy()[:, 0].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("case", golden.cases("conventions", "to_top_k_encoder"))
def test_golden_top_k_encoder(case):
    model = _trained(two_tower())
    encoder = model.to_top_k_encoder(catalogue(), k=3, batch_size=8)
    found = encoder(first(log()))
    assert type(encoder).__name__ == case.outputs["class"]
    assert type(found).__name__ == case.outputs["type"]
    assert list(found.scores.shape) == case.outputs["scores_shape"]
    assert list(found.identifiers.shape) == case.outputs["identifiers_shape"]
    assert found.identifiers.dtype.name == case.outputs["identifiers_dtype"]


@pytest.mark.slow
def test_evaluate_over_the_whole_catalogue():
    """Recall and NDCG at 5 by hand, from the vectors: the place of the right item among all 19."""
    model = _trained(two_tower())
    encoder = model.to_top_k_encoder(catalogue(), k=5, target="item_id")
    encoder.compile(metrics=[mm.RecallAt(5), mm.NDCGAt(5)])
    found = encoder.evaluate(log(), batch_size=7, verbose=0, return_dict=True)
    queries = model.query_embeddings(log()).compute().to_numpy()
    vectors = model.candidate_embeddings(catalogue()).compute()
    scores = queries @ vectors.to_numpy().T
    right = first(log(), 24)["item_id"].numpy()[:, 0]
    order = vectors.index.to_numpy()[np.argsort(-scores, axis=1, kind="stable")[:, :5]]
    hit = order == right[:, None]
    assert found["recall_at_5"] == pytest.approx(hit.any(axis=1).mean(), abs=1e-6)
    assert found["ndcg_at_5"] == pytest.approx((hit / np.log2(np.arange(2, 7))).sum(axis=1).mean(), abs=1e-6)


@pytest.mark.slow
def test_saved_model_indexed_in_a_fresh_process_gives_the_same_top_k(tmp_path):
    model = _trained(two_tower())
    model.save(tmp_path / "model.keras")
    expected = model.to_top_k_encoder(catalogue(), k=4)(first(log(), 24))
    program = f"""
        import numpy as np, emrys.blocks as mm
        from tests.blocks.models.retrieval import catalogue, first, log
        model = mm.Model.load({str(tmp_path / "model.keras")!r})
        found = model.to_top_k_encoder(catalogue(), k=4)(first(log(), 24))
        np.savez({str(tmp_path / "found.npz")!r}, scores=found.scores, ids=found.identifiers)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, capture_output=True)
    found = np.load(tmp_path / "found.npz")
    np.testing.assert_array_equal(found["ids"], expected.identifiers)
    np.testing.assert_array_equal(found["scores"], expected.scores)


@quiet
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_keras_file(name, tmp_path):
    data = histories() if "Youtube" in name else log()
    pre = mm.SequencePredictLast(SEQUENCES, "item_id_seq") if "Youtube" in name else None
    model = _trained(MODELS[name](), data, pre=pre)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded(first(data)), model(first(data)))
    assert len(loaded.trainable_weights) == len(model.trainable_weights)  # shared tables stay one


@pytest.mark.slow
def test_matrix_factorization_scores_by_what_stands_behind_its_tables():
    model = _trained(mm.MatrixFactorizationModelV2(SCHEMA, dim=4, post="l2-norm"))
    vectors = model.candidate_embeddings().compute()
    assert vectors.index.tolist() == list(range(20))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    queries = model.query_embeddings().compute()
    batch = first(log())
    users, items = (batch[name].numpy()[:, 0] for name in ("user_id", "item_id"))
    expected = (queries.loc[users].to_numpy() * vectors.loc[items].to_numpy()).sum(axis=1)
    np.testing.assert_allclose(model(batch).numpy()[:, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_matrix_factorization_takes_arguments_by_column():
    start = {"user_id": keras.initializers.Constant(0.5), "item_id": keras.initializers.Constant(2.0)}
    model = mm.MatrixFactorizationModelV2(
        SCHEMA, dim=3, embeddings_initializers=start, embeddings_l2_batch_regularization={"item_id": 0.1}
    )
    model.compile()
    found = model.evaluate(log(4), batch_size=4, verbose=0, return_dict=True)
    # 4 rows of the items' table, 3 values of 2 each: 0.1 * 4 * 3 * 4; those of users are not weighed.
    assert found["regularization_loss"] == pytest.approx(4.8)
    np.testing.assert_allclose(model(first(log(), 2)), [[3.0], [3.0]])


def test_two_models_with_defaults_share_no_weights():
    one, two = (mm.YoutubeDNNRetrievalModelV2(HISTORY, num_sampled=15) for _ in range(2))
    for model in (one, two):
        model.build({"item_id_seq": (None, None), "cat_seq": (None, None), "user_country": (None, 1)})
    before = [weight.numpy() for weight in two.weights]
    for weight in one.weights:
        weight.assign(weight + 1)
    for weight, value in zip(two.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_youtube_dnn_default_top_block_fits_the_table_of_the_items():
    inputs = mm.InputBlockV2(HISTORY, categorical=mm.Embeddings(HISTORY, dim=12))
    model = mm.YoutubeDNNRetrievalModelV2(HISTORY, inputs=inputs, num_sampled=15)
    batch = first(histories())
    assert model.query_encoder(batch).shape == (4, 12)
    assert model(batch).shape == (4, 20)


def test_youtube_dnn_top_k_is_that_of_its_scores():
    model = mm.YoutubeDNNRetrievalModelV2(HISTORY, num_sampled=15)
    batch = first(histories())
    scores = model(batch).numpy()
    found = model.to_top_k_encoder(k=5)(batch)
    np.testing.assert_array_equal(found.identifiers, np.argsort(-scores, axis=1, kind="stable")[:, :5])
    few = Dataset(pd.DataFrame({"item": [3, 11]}), schema=Schema([mm.create_categorical_column("item", 19)]))
    chosen = model.to_top_k_encoder(few, candidate_id="item", k=2)(batch)
    np.testing.assert_allclose(np.sort(chosen.scores, axis=1), np.sort(scores[:, [3, 11]], axis=1), rtol=1e-5)


def test_an_empty_history_is_a_query_like_any_other():
    # The mean of no item is 0: the recommendations are those of the bias alone, the same for everybody without history.
    model = mm.YoutubeDNNRetrievalModelV2(HISTORY, num_sampled=15)
    batch = first(histories())
    model(batch)
    nobody = {
        name: tf.RaggedTensor.from_row_lengths(tf.zeros([0], value.dtype), [0, 0])
        if isinstance(value, tf.RaggedTensor)
        else tf.repeat(value[:1], 2, axis=0)
        for name, value in batch.items()
    }
    found = model.to_top_k_encoder(k=3)(nobody)
    assert np.isfinite(found.scores).all()
    np.testing.assert_array_equal(found.identifiers[0], found.identifiers[1])


@quiet
@pytest.mark.parametrize("make", [
    lambda T: two_tower(logits_temperature=T),
    lambda T: mm.MatrixFactorizationModel(SCHEMA, 4, logits_temperature=T),
    lambda T: mm.TwoTowerModel(SCHEMA, mm.MLPBlock([4]), logits_temperature=T),
])  # fmt: skip
def test_temperature_divides_the_scores_of_training(make):
    """With all vectors 0 but for their bias, or equal ones, nothing is learned; scores differ by the factor alone."""
    batch = first(log(), 3)
    found = {}
    for temperature in (1.0, 0.5):
        keras.utils.set_random_seed(1)
        model = make(temperature)
        model(batch)
        for output in model.model_outputs:
            output.downscore_false_negatives = False
            output.logq_sampling_correction = False
        found[temperature] = next(iter(model.call_train_test(batch, testing=True).outputs.values())).numpy()
    np.testing.assert_allclose(found[0.5], 2 * found[1.0], rtol=1e-5)


def test_default_output_is_corrected_by_log_q_after_the_temperature():
    """Probabilities of ids by hand: 3 of the 4 positives are item 1, so that ln p differs by ln(3 + 1) - ln(1 + 1)."""
    model = mm.MatrixFactorizationModelV2(
        SCHEMA, 2, embeddings_initializers=keras.initializers.Constant(0.0), logits_temperature=0.5
    )
    batch = {"user_id": tf.constant([[1], [2], [3], [4]]), "item_id": tf.constant([[1], [1], [1], [2]])}
    scores = model.call_train_test(batch, training=True).outputs["contrastive_output"].numpy()
    # Row 3, item 2: its own score is -ln p(2), the others' -ln p(1): apart by ln 2, whatever the temperature.
    assert scores[3, 0] - scores[3, 1] == pytest.approx(np.log(2), abs=1e-5)


@quiet
@pytest.mark.slow
def test_first_generation_judges_by_a_whole_catalogue():
    model = _trained(mm.TwoTowerModel(SCHEMA, mm.MLPBlock([4]), post=mm.L2Norm()))
    model.compile(metrics=[mm.RecallAt(5)])
    from_data = model.evaluate(log(), item_corpus=catalogue(), batch_size=8, verbose=0, return_dict=True)
    from_loader = model.evaluate(
        mm.Loader(log(), 8, shuffle=False), item_corpus=catalogue(), verbose=0, return_dict=True
    )
    queries = model.query_embeddings(log(), batch_size=8).compute().set_index("user_id")[list("0123")]
    items = model.item_embeddings(catalogue(), batch_size=8).compute().set_index("item_id")[list("0123")]
    np.testing.assert_allclose(np.linalg.norm(items, axis=1), 1, rtol=1e-5)
    assert queries.index.is_unique
    vectors = model.retrieval_block(first(log(), 24))["query"]
    order = items.index.to_numpy()[np.argsort(-(np.asarray(vectors) @ items.to_numpy().T), axis=1)[:, :5]]
    expected = (order == first(log(), 24)["item_id"].numpy()).any(axis=1).mean()
    assert from_data["recall_at_5"] == pytest.approx(expected, abs=1e-6)
    assert from_loader["recall_at_5"] == pytest.approx(expected, abs=1e-6)


@quiet
@quiet
@pytest.mark.slow
def test_a_tower_of_the_first_generation_is_saved_by_itself(tmp_path):
    model = _trained(mm.TwoTowerModel(SCHEMA, mm.MLPBlock([4])))
    features = first(log(), 24)
    tower = model.retrieval_block.query_block()
    tower.save(tmp_path / "query_tower.keras")
    loaded = keras.saving.load_model(tmp_path / "query_tower.keras")
    np.testing.assert_array_equal(loaded(features), model.retrieval_block(features)["query"])
    assert "item" not in " ".join(loaded.input_schema.column_names)


def test_first_generation_youtube_dnn():
    model = mm.YoutubeDNNRetrievalModel(HISTORY, num_sampled=15)
    batch = first(histories())
    np.testing.assert_allclose(np.linalg.norm(model.query_encoder(batch), axis=1), 1, rtol=1e-5)
    all_items = mm.YoutubeDNNRetrievalModel(HISTORY, sampled_softmax=False, logits_temperature=0.5)
    assert isinstance(all_items.model_outputs[0], mm.CategoricalOutput)
    assert all_items(batch).shape == (4, 20)


@pytest.mark.parametrize(("name", "make"), [
    ("TwoTowerModelV2", lambda: mm.TwoTowerModel(SCHEMA, mm.MLPBlock([4]))),
    ("MatrixFactorizationModelV2", lambda: mm.MatrixFactorizationModel(SCHEMA, 4)),
    ("YoutubeDNNRetrievalModelV2", lambda: mm.YoutubeDNNRetrievalModel(HISTORY, num_sampled=5)),
    ("TwoTowerModelV2", lambda: mm.TwoTowerBlock(SCHEMA, mm.MLPBlock([4]))),
    ("MatrixFactorizationModelV2", lambda: mm.MatrixFactorizationBlock(SCHEMA, 4)),
    ("RetrievalModelV2", lambda: mm.DualEncoderBlock(mm.Dense(2), mm.Dense(2))),
])  # fmt: skip
def test_first_generation_warns_once(name, make):
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        make()
    assert [name in str(each.message) for each in caught] == [True]


@quiet
def test_matrix_factorization_block_gives_the_cosine(tmp_path):
    block = mm.MatrixFactorizationBlock(SCHEMA, 4)
    batch = first(log())
    tables = {tag: block.get_embedding_table for tag in (Tags.USER_ID, Tags.ITEM_ID)}
    found = block(batch).numpy()[:, 0]
    rows = [
        np.asarray(tables[tag](tag, l2_normalization=True))[batch[name].numpy()[:, 0]]
        for tag, name in ((Tags.USER_ID, "user_id"), (Tags.ITEM_ID, "item_id"))
    ]
    np.testing.assert_allclose(found, (rows[0] * rows[1]).sum(axis=1), rtol=1e-5, atol=1e-6)
    block.export_embedding_table("item_id", tmp_path / "items.parquet")
    np.testing.assert_allclose(pd.read_parquet(tmp_path / "items.parquet"), block.get_embedding_table("item_id"))


@pytest.mark.parametrize(("error", "text", "make"), [
    (SchemaError, "needs exactly one id column; expected one column tagged USER_ID, got none",
     lambda: mm.MatrixFactorizationModelV2(ITEMS, 4)),
    (SchemaError, "the candidate tower of TwoTowerModelV2 needs exactly one id column",
     lambda: mm.TwoTowerModelV2(mm.Encoder(USERS), mm.Encoder(USERS))),
    (ConfigError, "compares the vectors of query and candidate; expected both of one size, got 4 (query) and 5",
     lambda: mm.TwoTowerModelV2(mm.Encoder(USERS, mm.MLPBlock([4])), mm.Encoder(ITEMS, mm.MLPBlock([5])))),
    (ConfigError, "TwoTowerModelV2: query_tower; expected an Encoder, got MLPBlock",
     lambda: mm.TwoTowerModelV2(mm.MLPBlock([4]), mm.Encoder(ITEMS))),
    (ConfigError, "column 'item_id_seq': YoutubeDNNRetrievalModelV2: num_sampled; expected at most 20",
     lambda: mm.YoutubeDNNRetrievalModelV2(HISTORY)),
    (ConfigError, "top_block gives vectors of another size than the items have; expected 8, got 64",
     lambda: mm.YoutubeDNNRetrievalModelV2(HISTORY, top_block=mm.MLPBlock([64]), num_sampled=5)),
    (SchemaError, "YoutubeDNNRetrievalModelV2 needs exactly one id column; expected one column tagged ITEM_ID",
     lambda: mm.YoutubeDNNRetrievalModelV2(USERS)),
    (ConfigError, "needs data; expected rows with item_id, item_category, item_price, got none",
     lambda: two_tower().candidate_embeddings()),
    (ConfigError, "has no candidate encoder",
     lambda: mm.YoutubeDNNRetrievalModelV2(HISTORY, num_sampled=5).candidate_encoder),
    (DataError, "the data misses a column",
     lambda: two_tower().query_embeddings(catalogue(), index="item_id")),
    (SchemaError, "HoldOutItems: the schema must contain the history; expected one list tagged ITEM_ID",
     lambda: mm.HoldOutItems(SCHEMA)),
])  # fmt: skip
def test_used_wrongly(error, text, make):
    with pytest.raises(error) as caught:
        make()
    assert text in str(caught.value)


@quiet
def test_first_generation_used_wrongly():
    with pytest.raises(SchemaError, match="no columns for a tower; expected columns tagged USER"):
        mm.TwoTowerModel(ITEMS, mm.MLPBlock([4]))
    with pytest.raises(ConfigError, match="expected both of one size"):
        mm.TwoTowerBlock(SCHEMA, mm.MLPBlock([4]), mm.MLPBlock([5]))
    with pytest.raises(ConfigError, match="has no retrieval task"):
        mm.RetrievalModel(mm.TwoTowerBlock(SCHEMA, mm.MLPBlock([4])), mm.Dense(1)).to_top_k_recommender(catalogue())


@pytest.mark.slow
def test_hold_out_items_parts_every_history():
    rows = [[3, 5, 7, 9], [2], [], list(range(20))]
    layer = mm.HoldOutItems(HISTORY, share=0.5, target="right")
    found = layer({"item_id_seq": tf.ragged.constant(rows, dtype=tf.int64), "user_country": tf.zeros((4, 1))})
    held = found.targets["right"].numpy()
    assert sorted(found.outputs) == ["item_id_seq", "user_country"]
    for row, left, right in zip(rows, found.outputs["item_id_seq"].to_list(), held, strict=True):
        assert sorted([*left, *np.flatnonzero(right)]) == sorted(row)
    draws = [float(tf.reduce_sum(layer({"item_id_seq": tf.ragged.constant(rows, dtype=tf.int64)}).targets["right"]))
             for _ in range(200)]  # fmt: skip
    # 25 ids, each held out with probability 0.5: the mean of 200 draws is within 5 standard errors of 12.5.
    assert abs(np.mean(draws) - 12.5) < 5 * 2.5 / np.sqrt(200)


def test_cross_entropy_of_several_right_items_has_the_gradient_of_its_value():
    """The loss is - sum(t * log softmax(s)); its derivative is sum(t) * softmax(s) - t."""
    scores, right = tf.Variable([[1.0, 2.0, 3.0]]), np.array([[1.0, 1.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = mm.CategoricalCrossEntropy()(right, scores)
    share = np.exp([1.0, 2.0, 3.0]) / np.exp([1.0, 2.0, 3.0]).sum()
    assert float(loss) == pytest.approx(-np.log(share[:2]).sum(), rel=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, scores)[0], 2 * share - right[0], rtol=1e-5)


class TestMatrixFactorizationOfCosines:
    """`MatrixFactorizationModel(aggregation="cosine")`."""

    @staticmethod
    def _cosine(model, batch):
        query, item = (model.blocks[0][side](batch).numpy() for side in ("query", "item"))
        norms = np.linalg.norm(query, axis=1) * np.linalg.norm(item, axis=1)
        return (query * item).sum(axis=1) / norms

    @pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
    @pytest.mark.slow
    def test_the_default_task(self):
        model = mm.MatrixFactorizationModel(SCHEMA, dim=4, aggregation="cosine")
        batch = first(log())
        np.testing.assert_allclose(model(batch)[:, 0], self._cosine(model, batch), rtol=1e-5)
        model.compile("adam", metrics=[mm.RecallAt(3)])
        model.fit(log(), batch_size=8, verbose=0)
        scores = model.to_top_k_recommender(catalogue(), k=3)(batch).scores
        assert np.abs(scores).max() <= 1 + 1e-6

    @pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
    def test_a_task_of_ones_own(self):
        task = mm.BinaryClassificationTask("click")
        model = mm.MatrixFactorizationModel(SCHEMA, dim=4, aggregation="cosine", prediction_tasks=task)
        batch = first(log())
        found = model(batch)[:, 0]
        kernel, bias = (weight.numpy().item() for weight in model.model_outputs[0].to_call.weights)
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-kernel * self._cosine(model, batch) - bias)), rtol=1e-5)

    @pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
    def test_another_aggregation(self):
        with pytest.raises(ConfigError, match=r"aggregation; expected 'cosine', .* got 'concat'"):
            mm.MatrixFactorizationModel(SCHEMA, dim=4, aggregation="concat")


class TestItemsWithoutATag:
    """Items whose column of ids has no tag, but is named."""

    PLAIN = Schema([mm.create_categorical_column("film", 19, tags=[Tags.ITEM], dtype="int64")])

    def _model(self):
        output = mm.ContrastiveOutput(mm.DotProduct(), "in-batch", schema=self.PLAIN)
        encoders = {"query": mm.EmbeddingEncoder(USERS["user_id"], 4), "candidate": mm.EmbeddingEncoder(self.PLAIN, 4)}
        return mm.RetrievalModelV2(**encoders, output=output)

    @pytest.mark.parametrize("index", [None, "film", Tags.ITEM, PLAIN, PLAIN["film"]])
    def test_vectors(self, index):
        model = self._model()
        films = Dataset(pd.DataFrame({"film": [3, 1]}), schema=self.PLAIN)
        found = model.candidate_embeddings(films, index).to_ddf().compute()
        assert (found.index.name, found.index.tolist()) == ("film", [3, 1])
        np.testing.assert_allclose(found, model.candidate_encoder({"film": np.array([[3], [1]])}))

    @pytest.mark.slow
    def test_top_k(self):
        model, batch = self._model(), {"user_id": np.array([[1], [2]])}
        films = Dataset(pd.DataFrame({"film": np.arange(1, 20)}), schema=self.PLAIN)
        encoder = model.to_top_k_encoder(films, k=2)
        items = np.asarray(model.candidate_encoder.table.embeddings)[1:]
        order = 1 + np.argsort(-(np.asarray(model.query_encoder(batch)) @ items.T), axis=1)
        np.testing.assert_array_equal(encoder(batch).identifiers, order[:, :2])
        np.testing.assert_array_equal(encoder(batch, k=5).identifiers, order[:, :5])
        # the second target is not that of the items
        encoder.compile(metrics=[mm.RecallAt(2)])
        targets = {"click": np.ones((2, 1)), "film": order[:, 1:2]}
        data = tf.data.Dataset.from_tensors((batch, targets))
        assert encoder.evaluate(data, return_dict=True, verbose=0)["recall_at_2"] == 1
        targets["film"] = order[:, 2:3]
        data = tf.data.Dataset.from_tensors((batch, targets))
        assert encoder.evaluate(data, return_dict=True, verbose=0)["recall_at_2"] == 0


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
def test_towers_that_begin_with_their_own_inputs():
    """Such towers read the batch themselves: no further embeddings are put in front of them."""
    tables = {tag: mm.Embeddings(SCHEMA.select_by_tag(tag).select_by_tag(Tags.CATEGORICAL), dim=4) for tag in SIDES}
    towers = {
        tag: mm.InputBlockV2(SCHEMA.select_by_tag(tag), categorical=tables[tag]).connect(mm.MLPBlock([4]))
        for tag in SIDES
    }
    model = mm.TwoTowerModel(SCHEMA, query_tower=towers[Tags.USER], item_tower=towers[Tags.ITEM])
    batch = first(log())
    found = model(batch)
    expected = np.sum(towers[Tags.USER](batch) * towers[Tags.ITEM](batch), axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # 10 + 5 rows of users, 20 + 7 of items; each tower has 8 + 1 inputs of its 4 units
    assert model.count_params() == 4 * (10 + 5) + 4 * (20 + 7) + 2 * (9 * 4 + 4)


SIDES = (Tags.USER, Tags.ITEM)
