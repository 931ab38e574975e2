"""`PopularityLogitsCorrection`: correction of logits for the popularity of items."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.prediction import Prediction, PredictionOutput
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.outputs.contrastive_output import EPSILON
from emrys.blocks.outputs.contrastive_sample_weight import negative_ids, positive_ids
from emrys.blocks.sampling.candidate_sampler import as_probabilities
from emrys.blocks.schema.functions import number_of_ids


@keras.saving.register_keras_serializable("emrys")
class PopularityLogitsCorrection(Block):
    """Subtracts the logarithm of each item's probability: `s - reg_factor · ln(p + 1e-16)`, in training.

    Negatives sampled in proportion to their popularity, as in-batch negatives are, penalize popular items; the
    correction removes that bias. It is the `post` of a `ContrastiveOutput` with `store_negative_ids=True`. As it
    follows the temperature, it is exact for any temperature. The probabilities are part of the model's weights, so that
    a saved model keeps those of the last `update`.

    Args:
        item_freq_probs: Frequency of each item, (N,), by id. Default: uniform, until `update`.
        is_prob_distribution: Whether they are probabilities, with sum 1. Default: False.
        reg_factor: Factor of the correction. Default: 1.
        schema: Schema with the column of the ids, whose domain says N.
        candidate_tag_id: Tag of that column. Default: `Tags.ITEM_ID`.

    Input shape:
        `Prediction` with outputs (B, 1 + M) and `negative_candidate_ids`; anything else passes unchanged.

    Output shape:
        The input's.

    Raises:
        SchemaError: if the schema, or its column of ids, is missing.
        ConfigError: if the frequencies are invalid, or not one for each id; when called, if ids are missing.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([mm.create_categorical_column("item_id", num_items=2, tags=[Tags.ITEM_ID])])
        >>> mm.PopularityLogitsCorrection([1, 2, 1], schema=schema).get_candidate_probs().numpy().tolist()
        [0.25, 0.5, 0.25]

    Reference:
        Bengio, Senécal. Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model.
        IEEE Transactions on Neural Networks 19(4), 2008.
    """

    def __init__(
        self,
        item_freq_probs: Any = None,
        is_prob_distribution: bool = False,
        reg_factor: float = 1.0,
        schema: Schema | None = None,
        candidate_tag_id: Tags = Tags.ITEM_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        ids = Schema([]) if schema is None else schema.select_by_tag(candidate_tag_id)
        if not len(ids):
            raise SchemaError(
                "PopularityLogitsCorrection: schema",
                expected=f"a column tagged {candidate_tag_id}",
                got="no schema" if schema is None else ", ".join(schema.column_names),
            )
        self._schema = schema
        self.candidate_tag_id = candidate_tag_id
        self.reg_factor = reg_factor
        self._num_ids = number_of_ids(next(iter(ids)))
        self._initial_probs = self._probabilities(
            np.ones(self._num_ids) if item_freq_probs is None else item_freq_probs,
            is_prob_distribution and item_freq_probs is not None,
        )
        self.build()

    def _probabilities(self, item_freq_probs: Any, is_prob_distribution: bool) -> Any:
        return as_probabilities(item_freq_probs, is_prob_distribution, "PopularityLogitsCorrection", self._num_ids)

    @classmethod
    def from_parquet(
        cls,
        parquet_path: str | os.PathLike[str],
        frequencies_probs_col: str,
        is_prob_distribution: bool = False,
        gpu: bool = True,
        schema: Schema | None = None,
        **kwargs: Any,
    ) -> Self:
        """Creates the layer from a Parquet file with one row for each id from 0 on, as NVTabular writes it.

        Args:
            parquet_path: The file.
            frequencies_probs_col: Name of the column.
            is_prob_distribution: See the constructor.
            gpu: Accepted, without effect: the file is read by pandas.
            schema: See the constructor.
            **kwargs: Its other arguments.

        Raises:
            ConfigError: if the file has no such column.
        """
        frame = pd.read_parquet(parquet_path)
        if frequencies_probs_col not in frame.columns:
            raise ConfigError(
                "no frequencies in the file",
                path=parquet_path,
                column=frequencies_probs_col,
                expected="a column of this name",
                got=", ".join(map(str, frame.columns)),
            )
        return cls(frame[frequencies_probs_col].to_numpy(), is_prob_distribution, schema=schema, **kwargs)

    @property
    def schema(self) -> Schema | None:
        """The schema with the column of the ids."""
        return self._schema

    def build(self, input_shape: Shape = None) -> None:
        """Creates the probabilities, (N,)."""
        if getattr(self, "candidate_probs", None) is None:
            self.candidate_probs = self.add_weight(
                shape=(self._num_ids,),
                initializer="zeros",
                dtype="float32",
                trainable=False,
                autocast=False,
                name="candidate_probs",
            )
            self.candidate_probs.assign(self._initial_probs)
        self.built = True

    def get_candidate_probs(self) -> Any:
        """Returns the probability of each item, (N,), float32."""
        return tf.convert_to_tensor(self.candidate_probs.value)

    def update(self, item_freq_probs: Any, is_prob_distribution: bool = False) -> None:
        """Replaces the frequencies; see the constructor."""
        self.candidate_probs.assign(self._probabilities(item_freq_probs, is_prob_distribution))

    def call(
        self,
        outputs: Any,
        features: Mapping[str, tf.Tensor] | None = None,
        training: bool | None = None,
        testing: bool | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the corrected logits."""
        if not isinstance(outputs, Prediction) or not training:
            return outputs
        ids = positive_ids(self, self._schema, self.candidate_tag_id, features, targets)
        return outputs._replace(
            outputs=self.compute_log_q_correction(outputs.outputs, ids, outputs.negative_candidate_ids)
        )

    def call_outputs(self, outputs: PredictionOutput, training: bool = True, **kwargs: Any) -> PredictionOutput:
        """Corrects the logits of a prediction of the first generation, with the ids that it holds.

        Args:
            outputs: Logits (B, 1 + M), ids of the positives (B,), and of the negatives (M,). Without ids of positives,
                nothing is corrected.
            training: Whether it is a training step; otherwise nothing is corrected. Default: True.
            **kwargs: Accepted for compatibility with Merlin Models; ignored.

        Raises:
            ConfigError: if there are negatives without ids.
        """
        if not training or outputs.positive_item_ids is None:
            return outputs
        logits = self.compute_log_q_correction(
            outputs.predictions, outputs.positive_item_ids, outputs.negative_item_ids
        )
        return outputs._replace(predictions=logits)

    def compute_log_q_correction(
        self, predictions: tf.Tensor, positive_candidate_ids: tf.Tensor, negative_candidate_ids: tf.Tensor | None = None
    ) -> Any:
        """Returns the corrected logits.

        Args:
            predictions: Logits (B, 1 + M), that of the positive first; without ids of negatives (B, 1) or, if every
                query is scored with all items of the batch, (B, B).
            positive_candidate_ids: Ids of the positives, (B,) or (B, 1).
            negative_candidate_ids: Ids of the negatives, (M,) or (M, 1), or (B, M). Default: none.

        Raises:
            ConfigError: if there are negatives without ids.
        """
        table, columns = self.candidate_probs.value, predictions.shape[-1]
        probs = tf.gather(table, tf.reshape(positive_candidate_ids, (-1, 1)))
        if negative_candidate_ids is None and columns != 1 and columns == probs.shape[0]:
            probs = tf.transpose(probs)
        elif negative_candidate_ids is not None or columns != 1:
            negative_probs = tf.gather(table, negative_ids(self, negative_candidate_ids))
            negative_probs = tf.broadcast_to(negative_probs, tf.shape(predictions[:, 1:]))
            probs = tf.concat([probs, negative_probs], axis=1)
        return predictions - self.reg_factor * tf.math.log(probs + EPSILON)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            # In float64: when they are restored as probabilities, their sum must be 1.
            "item_freq_probs": keras.ops.convert_to_numpy(self.candidate_probs).astype("float64").tolist(),
            "is_prob_distribution": True,
            "reg_factor": self.reg_factor,
            "schema": to_config(self._schema),
            "candidate_tag_id": to_config(self.candidate_tag_id),
        }
