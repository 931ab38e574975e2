"""State, draws and errors of samplers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError


def _batch(ids, values=None):
    ids = np.array(ids)[:, None]
    return mm.Candidate(ids, {}).with_embedding(np.float32(ids * [1, 10] if values is None else values))


def _again(layer):
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))


class TestInBatch:
    def test_known_frequencies(self):
        sampler = mm.InBatchSamplerV2(item_freq_probs=[0, 6, 3, 1])
        # 6, 3 and 1 of 10; the item that never occurs counts as the rarest of the others
        found = sampler.with_sampling_probs(_batch([1, 3, 0])).sampling_prob
        np.testing.assert_allclose(found, [[0.6], [0.1], [0.1]], rtol=1e-6)
        np.testing.assert_allclose(_again(sampler).with_sampling_probs(_batch([2])).sampling_prob, [[0.3]], rtol=1e-6)

    def test_frequencies_are_counted_in_training(self):
        sampler = mm.InBatchSamplerV2()
        sampler.prepare(2, 4, with_probs=True)
        items = _batch([0, 1])
        np.testing.assert_allclose(sampler.with_sampling_probs(items).sampling_prob, [[0.25], [0.25]])
        sampler(_batch([1, 1, 2, 1]), training=True)
        sampler(_batch([0, 0, 0, 0]), training=False)
        # (n_i + 1) / (n + N): 0 of 4 and 3 of 4, of 4 ids
        np.testing.assert_allclose(sampler.with_sampling_probs(items).sampling_prob, [[1 / 8], [4 / 8]])

    def test_hard_negatives_are_the_highest_scores(self):
        scores = np.array([[1.0, 5.0, 3.0, 4.0], [9.0, 2.0, 8.0, -655.04]], "float32")
        assert mm.InBatchSamplerV2(hard_negatives=2).choose(scores).numpy().tolist() == [[1, 3], [0, 2]]
        assert mm.InBatchSamplerV2(hard_negatives=2, skip_hardest=1).choose(scores).numpy().tolist() == [[3, 2], [2, 1]]
        assert mm.InBatchSamplerV2(hard_negatives=9).choose(scores).shape == (2, 4)

    def test_bad_arguments(self):
        with pytest.raises(ConfigError, match="hard_negatives; expected a number from 1, got 0"):
            mm.InBatchSamplerV2(hard_negatives=0)
        with pytest.raises(ConfigError, match="skip_hardest; expected a number from 0, beside hard_negatives, got 2"):
            mm.InBatchSamplerV2(skip_hardest=2)
        with pytest.raises(ConfigError, match="item_freq_probs; expected finite numbers from 0"):
            mm.InBatchSamplerV2(item_freq_probs=[1.0, -2.0])
        with pytest.raises(ConfigError, match="expected probabilities with sum 1, got sum 3"):
            mm.InBatchSamplerV2(item_freq_probs=[1.0, 2.0], is_prob_distribution=True)
        with pytest.raises(ConfigError, match="has no batch to sample from"):
            mm.InBatchSamplerV2().sample()

    def test_configuration(self):
        sampler = mm.InBatchSamplerV2(batch_size=7, hard_negatives=3, skip_hardest=1)
        again = _again(sampler)
        assert (again.batch_size, again.hard_negatives, again.skip_hardest, again.chooses) == (7, 3, 1, True)


class TestPopularity:
    def test_its_configuration_is_complete(self):
        sampler = mm.PopularityBasedSamplerV2(50, 2, max_num_samples=7, unique=False, seed=5)
        again = _again(sampler)
        for name in ("max_id", "min_id", "max_num_samples", "unique", "seed"):
            assert getattr(again, name) == getattr(sampler, name)

    def test_by_name_it_draws_ids_of_the_column(self):
        column = mm.create_categorical_column("item", num_items=5)
        sampler = mm.CandidateSampler.parse("popularity", column)
        assert (sampler.max_id, sampler.max_num_samples) == (6, 6)
        assert sorted(sampler().id.numpy()[:, 0]) == [0, 1, 2, 3, 4, 5]
        with pytest.raises(ConfigError, match="'popularity' needs the number of ids"):
            mm.CandidateSampler.parse("popularity")

    def test_a_seed_gives_the_same_draws(self):
        def draws():
            sampler = mm.PopularityBasedSamplerV2(1000, max_num_samples=20, seed=3)
            draw = tf.function(lambda: sampler().id)
            return [draw().numpy()[:, 0].tolist() for _ in range(3)]

        first = draws()
        assert draws() == first
        assert first[0] != first[1]

    def test_an_empty_range(self):
        with pytest.raises(ConfigError, match="expected 0 <= min_id < max_id, got 5 and 5"):
            mm.PopularityBasedSamplerV2(5, min_id=5)


class TestCrossBatch:
    def test_it_gives_earlier_batches(self):
        sampler = mm.CrossBatchSampler(capacity=3)
        assert sampler(_batch([1, 2]), training=True).id.shape == (0, 1)
        assert sampler(_batch([3, 4]), training=True).id.numpy().tolist() == [[1], [2]]
        found = sampler(_batch([9]), training=False)
        assert found.id.numpy().tolist() == [[2], [3], [4]]
        np.testing.assert_array_equal(found.embedding, [[2, 20], [3, 30], [4, 40]])
        assert sampler(_batch([5]), training=True).id.numpy().tolist() == [[2], [3], [4]]  # 9 was not kept

    def test_embeddings_are_constants(self):
        sampler = mm.CrossBatchSampler(capacity=2, ignore_last_batch_on_sample=False)
        vectors = tf.Variable([[1.0, 2.0]])
        with tf.GradientTape() as tape:
            batch = mm.Candidate(tf.constant([[1]]), {}).with_embedding(tf.identity(vectors))
            total = tf.reduce_sum(sampler(batch, training=True).embedding)
        assert float(total) == 3.0
        assert tape.gradient(total, vectors) is None

    def test_items_without_embeddings(self):
        with pytest.raises(ConfigError, match="expected items with embeddings, got none"):
            mm.CrossBatchSampler()(mm.Candidate(tf.constant([[1]]), {}))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_ids_keep_their_type(dtype):
    ids = tf.constant([[3], [4]], dtype)
    batch = mm.Candidate(ids, {}).with_embedding(tf.ones((2, 2)))
    assert (batch + batch).id.dtype.name == mm.InBatchSamplerV2()(batch).id.dtype.name == dtype
    pairs = {"query": tf.ones((2, 2)), "candidate": tf.ones((2, 2))}
    column = mm.create_categorical_column("item", 9, tags=[Tags.ITEM_ID])
    output = mm.ContrastiveOutput(
        mm.DotProduct(), "in-batch", schema=Schema([column]), store_negative_ids=True, logq_sampling_correction=True
    )
    negatives = output(pairs, features={"item": ids}, training=True).negative_candidate_ids
    assert (negatives.dtype.name, negatives.numpy().tolist()) == (dtype, [[3], [4]])


def test_ids_of_two_types_are_joined_as_int64():
    both = mm.Candidate(tf.constant([[1]], "int32")) + mm.Candidate(tf.constant([[2**40]], "int64"))
    assert (both.id.dtype.name, both.id.numpy().tolist()) == ("int64", [[1], [2**40]])


class TestFIFOQueue:
    def test_the_oldest_leave_first(self):
        queue = mm.FIFOQueue(3, tf.int64)
        queue.enqueue_many([1, 2])
        assert (int(queue.count()), bool(queue.at_full_capacity)) == (2, False)
        queue.enqueue_many([3, 4])
        assert queue.list_all().numpy().tolist() == [2, 3, 4]
        assert int(queue.dequeue()) == 2
        queue.enqueue(5)
        assert queue.list_all().numpy().tolist() == [3, 4, 5]
        assert queue.at_full_capacity.numpy()
        queue.enqueue_many([6, 7, 8, 9, 10])
        assert queue.dequeue_many(2).numpy().tolist() == [8, 9]
        queue.clear()
        assert queue.list_all().numpy().tolist() == []

    @pytest.mark.parametrize("graph", [False, True])
    def test_no_more_than_there_are_leave(self, graph):
        queue = mm.FIFOQueue(3, tf.int64)
        take = tf.function(queue.dequeue_many) if graph else queue.dequeue_many
        queue.enqueue_many([1, 2])
        assert take(5).numpy().tolist() == [1, 2]
        assert int(queue.count()) == 0
        queue.enqueue_many([3, 4, 5])  # round the end of the storage
        assert take(2).numpy().tolist() == [3, 4]
        assert take(5).numpy().tolist() == [5]
        with pytest.raises(tf.errors.InvalidArgumentError if graph else IndexError, match="is empty"):
            take(5)

    def test_rows_by_place(self):
        ids = mm.FIFOQueue(3, "int64")
        rows = mm.FIFOQueue(3, "float32", dims=[2])
        assert ids.index_of([7, -1]).numpy().tolist() == [-1, -1]  # -1 fills the storage, and is no row
        vectors = tf.reshape(tf.range(8.0), (4, 2))
        for first, last in ((0, 3), (3, 4)):
            ids.enqueue_many([7, 8, 7, 9][first:last])
            rows.enqueue_many(vectors[first:last])
        # the fourth row took the place of the first; of two equal ones the newest counts
        places = ids.index_of([9, 7, 5, 8])
        assert places.numpy().tolist() == [0, 2, -1, 1]
        assert rows.get_values_by_indices(places[:2]).numpy().tolist() == [[6, 7], [4, 5]]
        rows.update_by_indices(places[:1], [[0.5, 0.5]])
        assert rows.list_all().numpy().tolist() == [[2, 3], [4, 5], [0.5, 0.5]]

    def test_in_a_graph(self):
        queue = mm.FIFOQueue(3, "int64")

        @tf.function
        def put(values):
            queue.enqueue_many(values)
            return queue.list_all()

        assert put(tf.constant([1, 2], "int64")).numpy().tolist() == [1, 2]
        assert put(tf.constant([3, 4], "int64")).numpy().tolist() == [2, 3, 4]

    def test_errors(self):
        with pytest.raises(ConfigError, match="capacity; expected a number from 1, got 0"):
            mm.FIFOQueue(0, "int64")
        with pytest.raises(ConfigError, match=r"initialize_tensor; expected shape \(2,\), got \(3,\)"):
            mm.FIFOQueue(2, "int64", initialize_tensor=[1, 2, 3])
        with pytest.raises(ConfigError, match=r"shape of the rows; expected \(M, 2\), got \(1, 3\)"):
            mm.FIFOQueue(2, "float32", dims=[2]).enqueue_many([[1.0, 2.0, 3.0]])
        with pytest.raises(IndexError, match="is empty"):
            mm.FIFOQueue(2, "int64").dequeue()
        with pytest.raises(ConfigError, match="rows to dequeue; expected a number from 1, got 0"):
            mm.FIFOQueue(2, "int64").dequeue_many(0)

    def test_configuration(self):
        again = _again(mm.FIFOQueue(2, tf.float32, dims=[2], initialize_tensor=[[1.0, 2.0], [3.0, 4.0]]))
        assert (again.capacity, again.dims, again.queue_dtype) == (2, (2,), "float32")
        assert again.get_values_by_indices([1]).numpy().tolist() == [[3.0, 4.0]]


class TestFirstGeneration:
    def test_one_warning_says_what_to_use(self):
        with pytest.warns(
            DeprecationWarning, match="InBatchSampler is deprecated: use InBatchSamplerV2 instead"
        ) as found:
            mm.InBatchSampler()
        assert len(found) == 1
        assert found[0].filename == __file__
        with pytest.warns(DeprecationWarning, match="use PopularityBasedSamplerV2 instead") as found:
            mm.PopularityBasedSampler(10, max_num_samples=5)
        assert found[0].filename == __file__
