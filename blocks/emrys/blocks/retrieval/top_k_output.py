"""Output of a model that ranks a whole catalogue, and top-k layers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import pandas as pd
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema
from numpy.typing import ArrayLike

from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.errors import ConfigError
from emrys.blocks.outputs.categorical_output import default_categorical_prediction_metrics
from emrys.blocks.outputs.categorical_target import only_column
from emrys.blocks.outputs.model_output import Metrics, ModelOutput, without_default_metrics
from emrys.blocks.retrieval.approximate_top_k import ApproximateTopK
from emrys.blocks.retrieval.brute_force import BruteForce
from emrys.blocks.retrieval.top_k_layer import TopKLayer

#: Top-k layers by name.
STRATEGIES: dict[str, type[TopKLayer]] = {"brute-force-topk": BruteForce, "approximate-topk": ApproximateTopK}

if TYPE_CHECKING:
    from merlin.io import Dataset


def as_top_k_layer(value: str | TopKLayer, k: int) -> TopKLayer:
    """Creates a top-k layer by name, with `k` results; a layer is returned unchanged.

    Raises:
        ConfigError: if the value is neither.
    """
    if isinstance(value, TopKLayer):
        return value
    if isinstance(value, str) and value in STRATEGIES:
        return STRATEGIES[value](k=k)
    expected = f"a top-k layer or one of {', '.join(map(repr, STRATEGIES))}"
    got = repr(value) if isinstance(value, str) else type(value).__name__
    raise ConfigError("unknown top-k layer", expected=expected, got=got)


@keras.saving.register_keras_serializable("emrys")
class TopKOutput(ModelOutput):
    """Output with the K best candidates of each query; in evaluation they are compared with the relevant items.

    Args:
        to_call: A top-k layer, such as `BruteForce`, or its name: `"brute-force-topk"` or `"approximate-topk"`.
        candidates: Vectors (N, D), whose ids are the row numbers, or a `merlin.io.Dataset` or data frame of vectors
            indexed by their ids. Default: those of the layer, which can be indexed later.
        k: Number of results, K, if `to_call` is a name; a layer has its own. Default: 10.
        target: Name or column of the target with the ids of the relevant items. Default: the only target of the batch.
        pre: Layer before the search. Default: none.
        post: Layer after it, called on a `TopKPrediction`. Default: none.
        logits_temperature: Divisor of the scores in evaluation. Default: 1.
        name: Task name of the output. Default: `<target>/top_k_output`.
        default_loss: Loss if `compile` gets none. Default: `"categorical_crossentropy"` of the K scores.
        default_metrics_fn: Creates the metrics if `compile` gets none; `TopKEncoder` lowers cut-offs above K to K.
            Default: recall, MRR, NDCG, MAP and precision at 10.

    Input shape:
        Queries (B, D)

    Output shape:
        `TopKPrediction` of scores and identifiers, (B, K) each. With `targets` and `testing`, a `Prediction` of scores
        (B, K) and of targets (B, K) that are 1 where the candidate is relevant.

    Raises:
        ConfigError: if `to_call` is neither a top-k layer nor the name of one, or the candidates have NaN or duplicate
            ids.
    """

    to_call: TopKLayer

    def __init__(
        self,
        to_call: str | TopKLayer,
        candidates: Dataset | pd.DataFrame | ArrayLike | None = None,
        k: int = 10,
        target: str | ColumnSchema | Schema | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        name: str | None = None,
        default_loss: str | keras.losses.Loss = "categorical_crossentropy",
        default_metrics_fn: Metrics = default_categorical_prediction_metrics,
        **kwargs: Any,
    ) -> None:
        layer = as_top_k_layer(to_call, k)
        if candidates is not None:
            layer.index_from_dataset(candidates)
        super().__init__(
            to_call=layer,
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=only_column(target, "TopKOutput") if isinstance(target, Schema) else target,
            pre=pre,
            post=post,
            logits_temperature=logits_temperature,
            **kwargs,
        )

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        shape = as_shape(input_shape)
        for layer in (self.pre, self.to_call):
            shape = shape if layer is None else build_layer(layer, shape)
        if self.post is not None and not self.post.built:
            self.post.build(shape)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        seen_items: tf.Tensor | tf.RaggedTensor | None = None,
        k: int | None = None,
    ) -> Any:
        """Finds the `k` best candidates, by default K, excluding `seen_items`, lists of ids (B, None)."""
        if self.pre is not None:
            inputs = call_layer(self.pre, inputs, training=training, testing=testing, features=features)
        evaluated = bool(testing) and targets is not None
        if evaluated:
            targets, inputs = self.targets_of(targets), self.scale(inputs, evaluated)
        outputs = call_layer(
            self.to_call, inputs, targets=targets if evaluated else None, testing=evaluated, seen_items=seen_items, k=k
        )
        if self.post is None or evaluated:
            return outputs
        return call_layer(self.post, outputs, training=training, testing=testing, features=features)

    def targets_of(self, targets: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Selects the target of this output among those of a batch.

        Raises:
            ConfigError: if it is missing, or there are several targets and the output has no target name.
        """
        return self._own(targets, "target")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, K), twice."""
        shape = as_shape(input_shape)
        return output_shape(self.to_call, shape if self.pre is None else output_shape(self.pre, shape))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the candidates are saved with the weights."""
        return without_default_metrics(self, super().get_config(), default_categorical_prediction_metrics)
