"""The samplers against the released library."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError
from tests import golden

pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")

DRAWS = 600


@pytest.mark.parametrize("case", golden.cases("sampling", "InBatchSampler"))
def test_in_batch_of_the_first_generation(case):
    sampler = mm.InBatchSampler(**case.args)
    if not case.inputs:
        assert {name: getattr(sampler, name) for name in case.outputs} == case.outputs
        return
    inputs = golden.tensors(case.inputs)
    if case.raises:
        with pytest.raises(DataError, match="embeddings and metadata differ in their rows; expected 3, got 2"):
            sampler(inputs)
        return
    found = sampler(inputs)
    golden.assert_close(found.embeddings, case.outputs["embeddings"])
    golden.assert_close(dict(found.metadata), case.outputs["metadata"], dtype=True)
    for name in ("batch_size", "max_num_samples", "required_features"):
        assert getattr(sampler, name) == case.outputs[name]


@pytest.mark.parametrize("case", golden.cases("sampling", "InBatchSamplerV2"))
def test_in_batch(case):
    given = golden.tensors(case.inputs)
    batch = mm.Candidate(given["id"], {"item_id": given["id"]}).with_embedding(given["embedding"])
    found = mm.InBatchSamplerV2()(batch, training="training=True" in case.call)
    golden.assert_close(found.id, case.outputs["id"], dtype=True)
    golden.assert_close(found.embedding, case.outputs["embedding"])
    assert found.sampling_prob is case.outputs["sampling_prob"] is None
    assert sorted(found.metadata) == case.outputs["metadata_keys"]


@pytest.mark.parametrize("case", golden.cases("sampling", "InBatchSamplerV2.with_sampling_probs"))
def test_in_batch_without_probabilities(case):
    candidate = mm.Candidate(golden.tensor(case.inputs["id"]), {})
    assert mm.InBatchSamplerV2().with_sampling_probs(candidate).sampling_prob is case.outputs["sampling_prob"]


@pytest.mark.parametrize("case", golden.cases("sampling", "candidate sampler registry"))
def test_names(case):
    for name, expected in case.outputs.items():
        assert type(mm.CandidateSampler.parse(name)).__name__ == expected


@pytest.mark.parametrize("case", golden.cases("sampling", "Candidate.__add__"))
def test_joining_candidates(case):
    left, right = (mm.Candidate(**golden.tensors(case.inputs[side])) for side in ("left", "right"))
    found = left.with_sampling_prob(tf.ones((2, 1))) + right.with_sampling_prob(tf.ones((1, 1)))
    golden.assert_close(found.id, case.outputs["id"], dtype=True)
    golden.assert_close(dict(found.metadata), case.outputs["metadata"], dtype=True)
    assert found.sampling_prob is case.outputs["sampling_prob"]


@pytest.mark.parametrize("case", golden.cases("sampling", "PopularityBasedSampler.get_distribution_probs"))
def test_probabilities_of_the_first_generation(case):
    golden.assert_close(mm.PopularityBasedSampler(**case.args).get_distribution_probs(), case.outputs["probs"])


@pytest.mark.parametrize("case", golden.cases("sampling", "PopularityBasedSamplerV2.get_sampling_distribution"))
def test_probabilities(case):
    golden.assert_close(mm.PopularityBasedSamplerV2(**case.args).get_sampling_distribution(), case.outputs["probs"])


@pytest.mark.parametrize("case", golden.cases("sampling", "PopularityBasedSamplerV2.with_sampling_probs"))
def test_probabilities_of_candidates(case):
    candidate = mm.Candidate(golden.tensor(case.inputs["id"]), {})
    found = mm.PopularityBasedSamplerV2(**case.args).with_sampling_probs(candidate)
    golden.assert_close(found.sampling_prob, case.outputs["sampling_prob"])
    assert found.id is candidate.id


def _shares(draw, number):
    """Average number of times that each id is in a draw; and all draws."""
    tf.random.set_seed(11)
    draws = [draw() for _ in range(DRAWS)]
    return np.bincount(np.concatenate(draws), minlength=number) / DRAWS, draws


@pytest.mark.parametrize("case", golden.cases("sampling", "PopularityBasedSampler"))
@pytest.mark.slow
def test_popularity_of_the_first_generation(case):
    if case.call == "constructor defaults":
        sampler = mm.PopularityBasedSampler(**case.args)
        assert {name: getattr(sampler, name) for name in case.outputs} == case.outputs
        return
    if case.call == "constructor":
        with pytest.raises(ConfigError, match="expected at most 10, the number of ids from 0 to 9, got 11"):
            mm.PopularityBasedSampler(**case.args)
        return
    sampler = mm.PopularityBasedSampler(**case.args)
    batch = {"embeddings": tf.ones((1, 2)), "metadata": {"item_id": tf.constant([4])}}
    if case.inputs.get("metadata") == "without item_id":
        with pytest.raises(DataError, match="misses the item ids"):
            sampler({**batch, "metadata": {}}, item_weights=tf.ones((11, 2)))
        return
    if case.raises:
        with pytest.raises(ConfigError, match="item_weights; expected 11 rows, got 12"):
            sampler(batch, item_weights=tf.ones((12, 2)))
        return
    weights = golden.tensor(case.inputs["item_weights"])
    found = sampler(batch, item_weights=weights)
    ids = found.metadata["item_id"]
    assert ids.dtype == tf.int32
    np.testing.assert_array_equal(found.embeddings, tf.gather(weights, ids))
    shares, draws = _shares(lambda: sampler(batch, item_weights=weights).metadata["item_id"].numpy(), 11)
    assert all(len(set(draw)) == 4 for draw in draws)
    np.testing.assert_allclose(shares, case.outputs["invariants"]["share_of_draws_containing_id"], atol=0.08)
    assert (shares == 0).tolist() == [True, True, *[False] * 8, True]


@pytest.mark.slow
@pytest.mark.parametrize("case", golden.cases("sampling", "PopularityBasedSamplerV2"))
def test_popularity(case):
    if case.raises:
        with pytest.raises(ConfigError, match="expected at most 49, the number of ids from 0 to 48, got 100"):
            mm.PopularityBasedSamplerV2(**case.args)
        return
    sampler = mm.PopularityBasedSamplerV2(**case.args)
    if case.call == "constructor defaults":
        assert {name: getattr(sampler, name) for name in case.outputs} == case.outputs
        return
    found = sampler(mm.Candidate(tf.constant([[3]]), {}))
    assert (found.id.shape, found.id.dtype, found.has_embedding, found.metadata) == ((4, 1), tf.int64, False, {})
    shares, draws = _shares(lambda: sampler().id.numpy()[:, 0], 11)
    expected = case.outputs["invariants"]
    assert all(len(set(draw)) == 4 for draw in draws) == expected["ids_unique_in_every_draw"]
    np.testing.assert_allclose(shares, expected["mean_count_of_each_id_per_draw"], atol=0.12)
    assert (shares == 0).tolist() == [True, True, *[False] * 8, True]
