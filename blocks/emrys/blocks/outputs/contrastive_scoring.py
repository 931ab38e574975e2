"""How the scores of the right items and of sampled ones are made."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from merlin.schema import ColumnSchema

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import call_layer
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError
from emrys.blocks.outputs.candidate_weights import candidate_rows, has_candidate_weights, nothing_of_bias
from emrys.blocks.outputs.contrastive_scores import down_score, keep_chosen, log_probabilities, one_positive
from emrys.blocks.outputs.model_output import ModelOutput, SampleWeight
from emrys.blocks.sampling.candidate import Candidate, ids_as_column
from emrys.blocks.sampling.candidate_sampler import CandidateSampler
from emrys.blocks.sampling.drawing import NO_EMBEDDING, Drawing, joined


class ContrastiveScoring(ModelOutput):
    """The calls of a `ContrastiveOutput`, whose arguments these attributes are."""

    col_schema: ColumnSchema
    negative_samplers: list[CandidateSampler]
    query_name: str
    candidate_name: str
    downscore_false_negatives: bool
    false_negative_score: float
    store_negative_ids: bool
    logq_sampling_correction: bool
    logq_after_temperature: bool

    @property
    def keys(self) -> list[str]:
        """Names of the queries and the candidates in the input of two towers."""
        return [self.query_name, self.candidate_name]

    @property
    def has_candidate_weights(self) -> bool:
        """Whether the output has a vector for every item."""
        return has_candidate_weights(self.to_call)

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        testing: bool | None = None,
        features: Any = None,
        targets: Any = None,
    ) -> Any:
        """Gives the `Prediction` in training and testing, otherwise scores alone."""
        told = {"training": training, "testing": testing, "features": features, "targets": targets}
        if not (training or testing) or (self.has_candidate_weights and targets is None):
            return super().call(inputs, training, testing, features)
        if self.pre is not None:
            inputs = call_layer(self.pre, inputs, **told)
        found = self.call_contrastive(inputs, features, targets, bool(training), bool(testing))
        found = found._replace(outputs=self.scale(found.outputs, compared=True))
        return self._after(found, **told)

    def _after(self, found: Prediction, targets: Any, features: Any, **told: Any) -> Prediction:
        """What `post` makes of the prediction."""
        chain = self.post.layers if isinstance(self.post, SequentialBlock) else [self.post] if self.post else []
        for layer in chain:
            if isinstance(layer, SampleWeight):
                found = self.weighted(found, layer.row_weights(targets, features, self.target))
            elif isinstance(layer, Block):
                found = call_layer(layer, found, targets=targets, features=features, **told)
            else:
                found = found._replace(outputs=call_layer(layer, found.outputs, **told))
        return found

    def weighted(self, prediction: Prediction, sample_weight: Any) -> Prediction:
        """The prediction with the batch's sample weights, times those that rows, or single scores, have."""
        own = prediction.sample_weight
        if own is None or sample_weight is None:
            return super().weighted(prediction, sample_weight)
        weight = tf.reshape(tf.cast(self._own(sample_weight, "sample weight"), own.dtype), (-1, 1))
        return prediction._replace(sample_weight=tf.reshape(own, (tf.shape(weight)[0], -1)) * weight)

    def for_metrics(self, prediction: Prediction, columns: int) -> Prediction:
        """The scores side by side, (B, at least `columns`): where there are fewer, the lowest possible ones follow."""
        scores, targets, weight = prediction.outputs, prediction.targets, prediction.sample_weight
        if len(scores.shape) == 3:  # each score was weighted alone; a row has the weight of its positive
            scores, targets, weight = scores[..., 0], targets[..., 0], weight[:, :1]
        if scores.shape[1] is None or scores.shape[1] < columns:
            missing = [[0, 0], [0, tf.maximum(columns - tf.shape(scores)[1], 0)]]
            scores, targets = tf.pad(scores, missing, constant_values=scores.dtype.min), tf.pad(targets, missing)
        return prediction._replace(outputs=scores, targets=targets, sample_weight=weight)

    def call_contrastive(
        self, inputs: Any, features: Any, targets: Any, training: bool = False, testing: bool = False
    ) -> Prediction:
        """Scores the positives and sampled negatives, before the temperature.

        Args:
            inputs: Queries (B, D), or the dictionary of two towers.
            features: The batch's features by name.
            targets: The right ids, (B, 1), by name or the only one; not looked at for two towers.
            training: Whether in training.
            testing: Whether in testing.

        Returns:
            Scores (B, 1 + M) with their targets.

        Raises:
            ConfigError: if the input is not that of this output, or the ids are not in the batch.
        """
        towers = isinstance(inputs, dict)
        if towers and not all(key in inputs for key in self.keys):
            raise ConfigError(
                f"{self.task_name} finds no queries and candidates",
                expected=" and ".join(map(repr, self.keys)),
                got=", ".join(map(repr, inputs)),
                fix="Give query_name and candidate_name.",
            )
        query = inputs[self.query_name] if towers else inputs
        ids = self._ids(features) if towers else self._own(targets, "target")
        if isinstance(query, tf.RaggedTensor):
            query, ids = query.flat_values, ids.flat_values if isinstance(ids, tf.RaggedTensor) else ids
        positive = Candidate(ids_as_column(ids), dict(features or {}))
        embedding = inputs[self.candidate_name] if towers else self.embedding_lookup(positive.id)
        positive = positive.with_embedding(embedding)
        told = {"features": features, "training": training, "testing": testing}
        drawn, positive = self._drawing().draw(positive, **told)
        found = self.outputs(query, positive, joined(drawn))
        # Sampled scores have no bias. Keras would warn about a weight that no gradient reaches.
        found = found._replace(outputs=found.outputs + nothing_of_bias(self.to_call))
        if not any(sampler.chooses for sampler in self.negative_samplers):
            return found
        return keep_chosen(found, drawn, self.negative_samplers, self.store_negative_ids)

    def _ids(self, features: Any) -> Any:
        name = self.col_schema.name
        if name not in (features or {}):
            raise ConfigError(
                f"{self.task_name} tells items apart by their ids",
                column=name,
                expected="a feature of this name",
                got=", ".join(features or {}) or "none",
            )
        return features[name]

    def outputs(self, query_embedding: Any, positive: Candidate, negative: Candidate) -> Prediction:
        """Scores of the positives and of the same negatives for every row.

        Args:
            query_embedding: (B, D)
            positive: Ids (B, 1) and embeddings (B, D).
            negative: Ids (M, 1) and embeddings (M, D).

        Returns:
            Scores (B, 1 + M), the positive first, with their targets.

        Raises:
            ConfigError: if embeddings are missing, or probabilities that the correction needs.
        """
        for what, candidate in (("positive", positive), ("negative", negative)):
            if not candidate.has_embedding:
                raise ConfigError(f"{self.task_name}: the {what} items have no embeddings", fix=NO_EMBEDDING)
        query = tf.cast(query_embedding, self.compute_dtype)
        vectors = tf.cast(negative.embedding, self.compute_dtype)
        others = tf.cast(tf.matmul(query, vectors, transpose_b=True), "float32")
        pairs = tf.cast(query, "float32") * tf.cast(positive.embedding, "float32")
        right = tf.reduce_sum(pairs, axis=-1, keepdims=True)
        if self.logq_sampling_correction:
            factor = self.logits_temperature if self.logq_after_temperature else 1.0
            right -= factor * log_probabilities(positive, self.task_name)
            others -= factor * tf.transpose(log_probabilities(negative, self.task_name))
        if self.downscore_false_negatives:
            others = down_score(others, positive.id, negative.id, self.false_negative_score)
        found = one_positive(tf.concat([right, others], axis=1))
        return found._replace(negative_candidate_ids=negative.id) if self.store_negative_ids else found

    def sample_negatives(
        self, positive: Candidate, features: Any, training: bool = False, testing: bool = False
    ) -> tuple[Candidate, Candidate]:
        """Draws negatives from all samplers.

        Args:
            positive: The positives of the batch, with embeddings.
            features: The batch's features by name.
            training: Whether in training.
            testing: Whether in testing.

        Returns:
            The negatives, and the positives with the probability of each to be drawn, where the samplers know it.

        Raises:
            ConfigError: if there is no sampler, several to correct for, or one gives no embeddings where they are
                needed.
        """
        drawn, positive = self._drawing().draw(positive, features=features, training=training, testing=testing)
        return joined(drawn), positive

    def _drawing(self) -> Drawing:
        return Drawing(
            self.task_name,
            self.negative_samplers,
            corrected=self.logq_sampling_correction,
            down_scored=self.downscore_false_negatives,
            look_up=self.embedding_lookup if self.has_candidate_weights else None,
        )

    def embedding_lookup(self, ids: Any) -> Any:
        """The vectors of items, (M, D), that the output holds.

        Args:
            ids: (M, 1) or (M,)

        Raises:
            ConfigError: if it holds none, as with two towers.
        """
        if not self.has_candidate_weights:
            raise ConfigError(f"{self.task_name} has no vectors of all items", fix=NO_EMBEDDING)
        return candidate_rows(self.to_call, tf.reshape(ids, (-1,)), self.compute_dtype)
