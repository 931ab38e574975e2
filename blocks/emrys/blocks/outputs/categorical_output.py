"""`CategoricalOutput`: scores of all classes, or of all items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.metrics import AvgPrecisionAt, MRRAt, NDCGAt, PrecisionAt, RecallAt
from emrys.blocks.outputs.candidate_weights import candidate_dataset
from emrys.blocks.outputs.categorical_target import CategoricalTarget, only_column
from emrys.blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction
from emrys.blocks.outputs.model_output import Metrics, ModelOutput, without_default_metrics

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
def default_categorical_prediction_metrics() -> tuple[keras.metrics.Metric, ...]:
    """Returns recall, MRR, NDCG, MAP and precision, each at 10."""
    return (RecallAt(10), MRRAt(10), NDCGAt(10), AvgPrecisionAt(10), PrecisionAt(10))


@keras.saving.register_keras_serializable("emrys")
class CategoricalOutput(ModelOutput):
    """A logit for each class, such as each item of a catalogue.

    Targets are class ids, (B, 1) or (B,), or one-hot targets (B, N). With class ids, the cross-entropy and the ranking
    metrics are computed without a one-hot tensor.

    Args:
        to_call: The layer of the logits: a column (or a schema of one), for which a `CategoricalTarget` is created; an
            `EmbeddingTable`, whose rows score the input (`EmbeddingTablePrediction`); or a layer that returns
            (B, N).
        target_name: Name of the target column. Default: the name of the column, for a table its first; for a layer
            the batch's only target.
        pre: Layer before the prediction. Default: none.
        post: Layer after it. Default: none.
        logits_temperature: Divisor of the logits in training and testing. Default: 1.
        name: Task name of the output. Default: `<target>/categorical_output`.
        default_loss: Loss used if `compile` has none. Default: `"categorical_crossentropy"`, from logits.
        default_metrics_fn: Function that returns the metrics used if `compile` has none. Default: recall, MRR, NDCG,
            MAP and precision at 10.

    Input shape:
        (B, D)

    Output shape:
        (B, N), float32 logits

    Raises:
        SchemaError: if the column has no domain, or the schema several columns.
        ConfigError: if `to_call` is none of the above.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.CategoricalOutput(mm.create_categorical_column("item_id", num_items=19)).task_name
        'item_id/categorical_output'
    """

    targets_are_ids = True

    def __init__(
        self,
        to_call: Schema | ColumnSchema | EmbeddingTable | keras.layers.Layer,
        target_name: str | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        name: str | None = None,
        default_loss: str | keras.losses.Loss = "categorical_crossentropy",
        default_metrics_fn: Metrics = default_categorical_prediction_metrics,
        **kwargs: Any,
    ) -> None:
        layer, columns = as_scoring_layer(to_call, "CategoricalOutput")
        target = kwargs.pop("target", target_name)
        super().__init__(
            to_call=layer,
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=target or (columns.first.name if columns else None),
            pre=pre,
            post=post,
            logits_temperature=logits_temperature,
            **kwargs,
        )

    def to_dataset(self, gpu: bool | None = None) -> Dataset:
        """Returns the weights of all classes as a `merlin.io.Dataset`: one row for each id, columns `"0"` to `"D - 1"`.

        Args:
            gpu: Accepted, without effect: the frame is always a pandas one.

        Raises:
            ConfigError: if the output is not built, or its layer holds no vector for each class.
        """
        return candidate_dataset(self.to_call)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = without_default_metrics(self, super().get_config(), default_categorical_prediction_metrics)
        config["target_name"] = config.pop("target")
        return config


def as_scoring_layer(to_call: Any, owner: str) -> tuple[keras.layers.Layer, Schema | None]:
    """Returns the scoring layer, and the columns whose ids it scores, for a column or a table.

    Args:
        to_call: A column, a schema of one, an `EmbeddingTable` or a layer.
        owner: Name of the caller, for error messages.

    Raises:
        ConfigError: if it is something else.
        SchemaError: if a schema has not exactly one column.
    """
    if isinstance(to_call, (ColumnSchema, Schema)):
        column = only_column(to_call, owner)
        return CategoricalTarget(column), Schema([column])
    if isinstance(to_call, EmbeddingTable):
        return EmbeddingTablePrediction(to_call), to_call.schema
    if not isinstance(to_call, keras.layers.Layer):
        raise ConfigError(
            f"{owner}: to_call",
            expected="a column, a schema of one, an EmbeddingTable or a layer",
            got=type(to_call).__name__,
        )
    return to_call, None
