"""The first generation's scorer and task, on the engine of the second."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError
from tests import golden

pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")

ITEM = mm.create_categorical_column("item_id", num_items=10, tags=[Tags.ITEM_ID, Tags.ITEM], dtype="int64")
USER = mm.create_categorical_column("user_id", num_items=20, tags=[Tags.USER_ID, Tags.USER], dtype="int64")
PAIRS = {
    "query": np.array([[1.0, 0.5], [-1.0, 2.0], [0.25, -0.5]], "float32"),
    "item": np.array([[0.5, 1.0], [1.0, 1.0], [0.5, 1.0]], "float32"),
}
IDS = {"item_id": np.array([[7], [3], [7]])}


def _again(layer):
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))


@pytest.mark.parametrize("case", golden.cases("sampling", "ItemRetrievalScorer"))
def test_golden(case):
    options = {name: value for name, value in case.args.items() if name != "samplers"}
    scorer = mm.ItemRetrievalScorer([mm.InBatchSampler() for _ in case.args.get("samplers", [])], **options)
    if case.call == "constructor defaults":
        assert {name: getattr(scorer, name) for name in case.outputs} == case.outputs
        return
    if case.raises:
        with pytest.raises(ConfigError, match="has no negatives; expected at least one sampler"):
            scorer.call_outputs(mm.PredictionOutput(PAIRS), features=IDS)
        return
    inputs = golden.tensors(case.inputs)
    pairs = {"query": inputs["query"], "item": inputs["item"]}
    if "output" in case.outputs:
        for each in (scorer, _again(scorer)):
            golden.assert_close(each(pairs, training=False), case.outputs["output"])
        assert sorted(scorer(pairs, training=True)) == case.outputs["training_output_keys"]
        return
    mode = {"training": "testing=True" not in case.call, "testing": "testing=True" in case.call}
    found = scorer.call_outputs(mm.PredictionOutput(pairs, {}), features={"item_id": inputs["item_id"]}, **mode)
    for name, expected in case.outputs.items():
        value = getattr(found, name)
        assert (value is None) == (expected is None), name
        if expected is not None:
            golden.assert_close(value, expected)


class TestScorer:
    def test_ids_are_stored_without_down_scoring(self):
        scorer = mm.ItemRetrievalScorer(
            mm.InBatchSampler(), sampling_downscore_false_negatives=False, store_negative_ids=True
        )
        found = scorer.call_outputs(mm.PredictionOutput(PAIRS), features=IDS)
        assert found.negative_item_ids.numpy().tolist() == [7, 3, 7]
        assert found.valid_negatives_mask is None
        np.testing.assert_allclose(found.predictions[0], [1.0, 1.0, 1.5, 1.0])

    def test_targets_are_the_ids_of_the_positives(self):
        # as released Merlin Models 23.12 gives: the negatives are the batch's items, 7, 3 and 7
        scorer = mm.ItemRetrievalScorer([mm.InBatchSampler()])
        found = scorer.call_outputs(mm.PredictionOutput(PAIRS, np.array([3, 1, 7])), features=IDS)
        assert found.valid_negatives_mask.numpy().tolist() == [[1, 0, 1], [1, 1, 1], [0, 1, 0]]
        assert found.positive_item_ids.numpy().tolist() == [3, 1, 7]
        np.testing.assert_allclose(found.predictions[0], [1.0, 1.0, -655.04, 1.0])

    def test_without_ids(self):
        scorer = mm.ItemRetrievalScorer([mm.InBatchSampler()], sampling_downscore_false_negatives=False)
        for features in (None, {}):
            found = scorer.call_outputs(mm.PredictionOutput(PAIRS, {}), features=features, training=True)
            np.testing.assert_allclose(found.predictions[0], [1.0, 1.0, 1.5, 1.0])
            assert found.positive_item_ids is found.negative_item_ids is found.valid_negatives_mask is None
        with pytest.raises(ConfigError, match=r"column 'item_id'.* Without ids, give sampling_downscore_false_neg"):
            mm.ItemRetrievalScorer([mm.InBatchSampler()]).call_outputs(mm.PredictionOutput(PAIRS, {}))

    def test_training_is_the_default(self):
        scorer = mm.ItemRetrievalScorer([mm.InBatchSampler()])
        np.testing.assert_array_equal(scorer(PAIRS)["query"], PAIRS["query"])
        np.testing.assert_allclose(scorer(PAIRS, training=False), [[1.0], [1.0], [-0.375]])
        served = scorer.call_outputs(mm.PredictionOutput(tf.ones((3, 1)), {}), features=IDS, training=False)
        assert served.targets.numpy().tolist() == [[1], [1], [1]]
        assert served.positive_item_ids.numpy().tolist() == [7, 3, 7]

    def test_a_table_is_another_outputs(self):
        with pytest.raises(ConfigError, match=r"sampled_softmax_mode.*Use ContrastiveOutput"):
            mm.ItemRetrievalScorer(sampled_softmax_mode=True)

    def test_samplers_of_ones_own(self):
        class First(mm.ItemSampler):
            """Keeps the first item of the batch."""

            def add(self, embeddings, items_metadata, training=True):
                self.kept = mm.EmbeddingWithMetadata(embeddings[:1], {"item_id": items_metadata["item_id"][:1]})

            def sample(self):
                return self.kept

        scorer = mm.ItemRetrievalScorer([First()])
        found = scorer.call_outputs(mm.PredictionOutput(PAIRS), features={"item_id": np.array([[7], [3], [4]])})
        np.testing.assert_allclose(found.predictions, [[1.0, -655.04], [1.0, 1.5], [-0.375, -0.25 - 0.125]], rtol=1e-5)
        with pytest.raises(DataError, match=r"column 'item_id': .* differ in their rows; expected 3, got 2"):
            First()({"embeddings": tf.ones((3, 2)), "metadata": {"item_id": tf.constant([1, 2])}})


class TestTask:
    @pytest.mark.parametrize(
        "case", golden.cases("conventions", "task defaults", where=lambda case: "ItemRetrieval" in case.args["task"])
    )
    def test_golden_defaults(self, case):
        task = mm.ItemRetrievalTask(golden.schema("SMALL"))
        assert task.task_name == case.outputs["name"] == case.outputs["task_name"]
        assert (task.target_name, task.default_loss) == (None, case.outputs["default_loss"])
        (metric,) = task.create_default_metrics()
        assert type(metric).__name__ == case.outputs["default_metrics"][0]["class"]
        assert [each.name for each in metric.topk_metrics] == case.outputs["default_metrics"][0]["members"]

    def test_one_warning_says_what_to_use(self):
        with pytest.warns(DeprecationWarning, match="ItemRetrievalTask is deprecated: use ContrastiveOutput") as found:
            mm.ItemRetrievalTask(Schema([ITEM]))
        assert [each.filename for each in found] == [__file__]

    def test_the_temperature_counts(self):
        found = mm.ItemRetrievalTask(Schema([ITEM]), logits_temperature=0.5)(PAIRS, features=IDS, training=True)
        np.testing.assert_allclose(found.outputs[:, 0], [2.0, 2.0, -0.75])

    def test_its_options_reach_the_scores(self):
        correction = mm.PopularityLogitsCorrection(np.arange(1, 12), schema=Schema([ITEM]))
        task = mm.ItemRetrievalTask(
            Schema([USER, ITEM]), samplers=[mm.InBatchSampler()], post_logits=correction, store_negative_ids=True
        )
        for each in (task, _again(task)):
            found = each(PAIRS, features=IDS, training=True)
            # the item 7 has 8 of 66, the item 3 has 4 of 66
            np.testing.assert_allclose(found.outputs[0, ::2], [1 - np.log(8 / 66), 1.5 - np.log(4 / 66)], rtol=1e-5)
            assert found.negative_candidate_ids.numpy().tolist() == [[7], [3], [7]]
        task.set_retrieval_cache_query(True)
        assert (task.retrieval_scorer.cache_query, task.retrieval_scorer.store_negative_ids) == (True, True)

    @pytest.mark.parametrize("name", ["item", "candidate"])
    @pytest.mark.slow
    def test_it_trains(self, name, tmp_path):
        tower = lambda column: mm.Embeddings(Schema([column]), dim=8, aggregation="concat")  # noqa: E731
        towers = mm.ParallelBlock({"query": tower(USER), name: tower(ITEM)})
        model = mm.Model(towers, mm.ItemRetrievalTask(Schema([ITEM])))
        model.compile(keras.optimizers.Adam(0.05))
        users = np.random.default_rng(1).integers(0, 20, (200, 1))
        data = tf.data.Dataset.from_tensor_slices({"user_id": users, "item_id": users % 10}).batch(50)
        history = model.fit(data, epochs=10, verbose=0).history
        assert history["loss"][-1] < 0.3 * history["loss"][0]
        assert history["ndcg_at_10"][-1] > 0.9
        model.save(tmp_path / "model.keras")
        loaded = mm.Model.load(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.predict(data, verbose=0), model.predict(data, verbose=0))

    def test_it_needs_the_items(self):
        with pytest.raises(SchemaError, match="expected one column tagged ITEM_ID, got none among user_id"):
            mm.ItemRetrievalTask(Schema([USER]))
