"""Metrics give the numbers of the released library."""

from __future__ import annotations

import re

import pytest
import tensorflow as tf

from emrys.blocks import metrics
from emrys.blocks.errors import ConfigError
from tests import golden

RANKING = ("RecallAt", "PrecisionAt", "NDCGAt", "MRRAt", "AvgPrecisionAt")
FREQUENCY = ("NoveltyAt", "PopularityBiasAt")


def make(case):
    arguments = dict(case.args)
    ranking = [
        getattr(metrics, kind)(int(k))
        for kind, k in (re.fullmatch(r"(\w+)\((\d+)\)", text).groups() for text in arguments.pop("topk_metrics", []))
    ]
    return getattr(metrics, case.name)(*ranking, **arguments)


def updated(metric, *args, **kwargs):
    metric.update_state(*args, **kwargs)
    return metric.result()


def in_batches(metric, case):
    """Values of the metric after each step of a case of two batches."""
    batches = golden.tensors(case.inputs)
    found = {"after_batch_1": updated(metric, **batches["batch_1"])}
    found["after_batch_2"] = updated(metric, **batches["batch_2"])
    metric.reset_state()
    found["after_reset_and_batch_2"] = updated(metric, **batches["batch_2"])
    return {key: value for key, value in found.items() if key in case.outputs}


def one_call(case):
    return "result" in case.outputs and "result_with_sample_weight" not in case.outputs


@pytest.mark.parametrize("case", golden.cases("metrics", *RANKING, where=one_call))
def test_ranking(case):
    metric, inputs = make(case), golden.tensors(case.inputs)
    assert metric.name == case.outputs.get("metric_name", metric.name)
    if "label_relevant_counts" in inputs:
        metric.label_relevant_counts = inputs.pop("label_relevant_counts")
    golden.assert_close(updated(metric, **inputs), case.outputs["result"])


@pytest.mark.parametrize("case", golden.cases("metrics", *RANKING, where=lambda case: "per_row" in case.outputs))
def test_ranking_of_each_row(case):
    metric, inputs = make(case), golden.tensors(case.inputs)

    @tf.function
    def row(y_true, y_pred):
        metric.reset_state()
        return updated(metric, y_true[None], y_pred[None])

    found = [row(*pair) for pair in zip(inputs["y_true"], inputs["y_pred"], strict=True)]
    golden.assert_close(tf.stack(found), case.outputs["per_row"])


@pytest.mark.parametrize(
    "case", golden.cases("metrics", *RANKING, *FREQUENCY, where=lambda case: "after_batch_2" in case.outputs)
)
def test_batches(case):
    metric = make(case)
    assert metric.name == case.outputs.get("metric_name", metric.name)
    expected = {key: value for key, value in case.outputs.items() if key.startswith("after")}
    golden.assert_close(in_batches(metric, case), expected)


@pytest.mark.parametrize(
    "case", golden.cases("metrics", *RANKING, where=lambda case: "result_with_sample_weight" in case.outputs)
)
def test_three_dimensions(case):
    metric, inputs = make(case), golden.tensors(case.inputs)
    weights = inputs.pop("sample_weight")
    golden.assert_close(updated(metric, **inputs), case.outputs["result"])
    metric.reset_state()
    golden.assert_close(updated(metric, **inputs, sample_weight=weights), case.outputs["result_with_sample_weight"])


@pytest.mark.parametrize("case", golden.cases("metrics", where=lambda case: case.raises))
def test_refused(case):
    with pytest.raises(ConfigError):
        make(case).update_state(**golden.tensors(case.inputs))


@pytest.mark.parametrize("case", golden.cases("metrics", "default k", "defaults"))
def test_defaults(case):
    needed = {"NoveltyAt": [[1.0]], "PopularityBiasAt": [[1.0]], "ItemCoverageAt": [1]}
    for kind, expected in case.outputs.items():
        metric = getattr(metrics, kind)(*needed.get(kind, []))
        assert {key: getattr(metric, key) for key in expected} == expected


@pytest.mark.parametrize("case", golden.cases("metrics", "RecallAt.get_config"))
def test_config(case):
    config = metrics.RecallAt(**case.args).get_config()
    assert config == case.outputs
    assert metrics.RecallAt.from_config(config).name == "recall_at_3"


@pytest.mark.parametrize("case", golden.cases("metrics", "TopKMetricsAggregator", where=lambda case: not case.raises))
def test_aggregator(case):
    metric = make(case)
    if "batch_1" in case.inputs:
        assert metric.name.startswith("top_k_metrics_aggregator")
        assert metric.k == case.outputs["k"]
        expected = {key: value for key, value in case.outputs.items() if key.startswith("after")}
        golden.assert_close(in_batches(metric, case), expected)
        return
    inputs = golden.tensors(case.inputs)
    metric.label_relevant_counts = inputs.pop("label_relevant_counts", None)
    golden.assert_close(updated(metric, **inputs), case.outputs["result"])


@pytest.mark.parametrize("case", golden.cases("metrics", "TopKMetricsAggregator.default_metrics"))
def test_default_metrics(case):
    found = metrics.TopKMetricsAggregator.default_metrics(**case.args)
    assert len(found) == 1
    if "metric_names" in case.outputs:
        assert [metric.name for metric in found[0].topk_metrics] == case.outputs["metric_names"]
        assert [type(metric).__name__ for metric in found[0].topk_metrics] == case.outputs["metric_classes"]
    else:
        golden.assert_close(updated(found[0], **golden.tensors(case.inputs)), case.outputs["result"])


@pytest.mark.parametrize("case", golden.cases("metrics", *FREQUENCY, where=lambda case: "result" in case.outputs))
def test_item_frequencies(case):
    metric, inputs = make(case), golden.tensors(case.inputs)
    if "new_item_freq_probs" in inputs:
        metric.update_candidate_probs(inputs.pop("new_item_freq_probs"))
    golden.assert_close(updated(metric, **inputs), case.outputs["result"])


@pytest.mark.parametrize("case", golden.cases("metrics", "ItemCoverageAt"))
def test_item_coverage(case):
    metric = make(case)
    if "result" in case.outputs:
        inputs = golden.tensors(case.inputs)
        metric.update_state(inputs["predicted_ids"])
        metric.update_num_unique_items(inputs["new_num_unique_items"])
        golden.assert_close(metric.result(), case.outputs["result"])
    elif "after_batch_2" in case.outputs:
        assert metric.name == case.outputs["metric_name"]
        found = in_batches(metric, case)
        golden.assert_close(found, {key: case.outputs[key] for key in ("after_batch_1", "after_batch_2")})
    else:
        batches = golden.tensors(case.inputs)
        metric.update_state(**batches["batch_1"])
        metric.reset_state()
        found = {"after_batch_1_and_reset": metric.result()}
        found["after_reset_and_batch_2"] = updated(metric, **batches["batch_2"])
        golden.assert_close(found, case.outputs)


@pytest.mark.parametrize("case", golden.cases("metrics", "LogLossMetric"))
def test_log_loss(case):
    metric, inputs = make(case), golden.tensors(case.inputs)
    y_true, y_pred, weights = inputs["y_true"], inputs["y_pred"], inputs["sample_weight"]
    found = {"metric_name": metric.name, "result": updated(metric, y_true, y_pred)}
    metric.reset_state()
    found["result_2d"] = updated(metric, y_true[:, None], y_pred[:, None])
    metric.reset_state()
    found["result_2d_with_sample_weight"] = updated(metric, y_true[:, None], y_pred[:, None], weights)
    golden.assert_close(found, case.outputs)


@pytest.mark.parametrize("case", golden.cases("metrics", "metrics_registry"))
def test_registry(case):
    expected = case.outputs["by_alias"]
    assert sorted(metrics.metrics_registry) == sorted(expected)
    for alias, description in expected.items():
        if description.get("needs_arguments"):
            with pytest.raises(TypeError, match="item_freq_probs"):
                metrics.metrics_registry.parse(alias)
        else:
            metric = metrics.metrics_registry.parse(alias)
            assert {"class": type(metric).__name__, "name": re.sub(r"(?<=[a-z])_\d+$", "", metric.name)} == {
                "class": description["class"],
                "name": re.sub(r"(?<=[a-z])_\d+$", "", description["name"]),
            }
