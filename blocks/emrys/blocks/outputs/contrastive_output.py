"""`ContrastiveOutput`: scores of the positive item against sampled negatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.outputs.candidate_weights import (
    candidate_dataset,
    candidate_rows,
    has_candidate_weights,
    zero_bias_gradient,
)
from emrys.blocks.outputs.categorical_output import as_scoring_layer, default_categorical_prediction_metrics
from emrys.blocks.outputs.contrastive_sample_weight import ContrastiveSampleWeight
from emrys.blocks.outputs.dot_product import DotProduct
from emrys.blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction
from emrys.blocks.outputs.model_output import Metrics, ModelOutput, SampleWeight, without_default_metrics
from emrys.blocks.sampling.candidate_sampler import (
    NO_EMBEDDING,
    Candidate,
    CandidateSampler,
    Drawing,
    SamplerList,
    Samplers,
    ids_as_column,
    joined,
    parse_samplers,
)
from emrys.blocks.sampling.in_batch_sampler_v2 import InBatchSamplerV2

if TYPE_CHECKING:
    from merlin.io import Dataset

#: Score of negatives that are positives.
FALSE_NEGATIVE_SCORE = -655.04


@keras.saving.register_keras_serializable("emrys")
class ContrastiveOutput(ModelOutput):
    """Scores of the positive item and of sampled negatives: `[q · c⁺ | q · c⁻₁ … q · c⁻_M] / T`.

    The item vectors come from one of two sources:

    - **Two towers.** The input is a dictionary of queries and candidates; row i of the candidates is the positive of
      query i, and its id is a feature of the batch. Samplers must return embeddings, as `"in-batch"` does. Without
      training or testing the output is the score of each pair, (B, 1).
    - **Weights for all items**, of an `EmbeddingTable` (tied with the input) or its own. The input is one tensor; the
      right item's id is the target. Samplers may return ids alone, as `"popularity"` does. Without training or testing,
      and without targets, the output is a score for every item, (B, N), with the bias where there is one. Sampled
      scores have no bias, so training does not change it: it is zero, unless it was loaded.

    In training and testing it returns a `Prediction` with targets `[1 | 0 … 0]`. `evaluate` samples negatives as `fit`
    does: its metrics rank the sampled items only. For metrics over all items, use the model's top-k encoder.

    Steps, in order: scores; `logq_sampling_correction` (`- ln(p + 1e-16)`, p the sampling probability of an item;
    times T with `logq_after_temperature`); `downscore_false_negatives`; the hard negatives of a sampler; the
    temperature; `post`.

    Args:
        to_call: A column, or a schema of one, for which the output has weights of its own (unless the input is that of
            two towers); an `EmbeddingTable`; a layer of either kind; or `DotProduct`, for two towers.
        negative_samplers: A sampler, its name (`"in-batch"`, `"popularity"`, `"cross-batch"`), or several, whose
            negatives follow one another.
        target_name: Name of the target column. Default: the column's name where the output knows it; a `DotProduct`
            needs no target.
        pre: Layer before the prediction. Default: none.
        post: Layer after it, which gets the `Prediction` in training and testing. Default: none.
        logits_temperature: T. Default: 1.
        name: Task name of the output. Default: `<target>/contrastive_output`.
        default_loss: Loss used if `compile` has none. Default: `"categorical_crossentropy"`, from logits;
            with a `ContrastiveSampleWeight` in `post` binary cross-entropy, from logits.
        default_metrics_fn: Function that returns the metrics used if `compile` has none. Default: recall, MRR, NDCG,
            MAP and precision at 10.
        downscore_false_negatives: Whether negatives with the id of the row's positive get `false_negative_score`.
            Default: True.
        false_negative_score: See there; the temperature divides it too. Default: -655.04.
        query_name: Name of the queries. Default: `"query"`.
        candidate_name: Name of the candidates. Default: `"candidate"`.
        store_negative_ids: Whether the ids of the negatives are returned, as `negative_candidate_ids`: (M, 1), or
            (B, M) where a sampler chooses hard negatives for each row. Default: False.
        logq_sampling_correction: Whether scores are corrected for the sampling probability; with one sampler only.
            For `"in-batch"` the probabilities are counted in training, see `InBatchSamplerV2`. Default: False.
        schema: Schema of one column, the item ids, required if `to_call` does not determine it.
        logq_after_temperature: Whether the correction applies to scores after the temperature, as in the paper;
            otherwise the temperature divides the correction too. Default: False.

    Input shape:
        (B, D), or a dictionary with two tensors (B, D). Ragged (B, None, D) with ragged targets (B, None) stands for
        one row for each element.

    Output shape:
        (B, 1 + M) in training and testing; otherwise (B, N), or (B, 1) for two towers. Float32.

    Raises:
        ConfigError: if an argument is invalid, or the column of the ids is unknown; when called, if there is no
            sampler, or a sampler returns no embeddings or probabilities that are required.

    Example:
        >>> import emrys.blocks as mm
        >>> output = mm.ContrastiveOutput(mm.create_categorical_column("item_id", num_items=19), "in-batch")
        >>> output.task_name
        'item_id/contrastive_output'

    References:
        Yi and others. Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations. RecSys 2019.
        Inan, Khosravi, Socher. Tying Word Vectors and Word Classifiers. ICLR 2017.
    """

    targets_are_ids = True

    returns_prediction = True

    def __init__(
        self,
        to_call: Schema | ColumnSchema | EmbeddingTable | keras.layers.Layer,
        negative_samplers: Samplers,
        target_name: str | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        name: str | None = None,
        default_loss: str | keras.losses.Loss = "categorical_crossentropy",
        default_metrics_fn: Metrics = default_categorical_prediction_metrics,
        downscore_false_negatives: bool = True,
        false_negative_score: float = FALSE_NEGATIVE_SCORE,
        query_name: str = "query",
        candidate_name: str = "candidate",
        store_negative_ids: bool = False,
        logq_sampling_correction: bool = False,
        schema: Schema | None = None,
        logq_after_temperature: bool = False,
        **kwargs: Any,
    ) -> None:
        layer, columns = as_scoring_layer(to_call, "ContrastiveOutput")
        if isinstance(layer, EmbeddingTablePrediction):
            columns = layer.table.schema
        own_column = None if columns is None else _id_column(columns)
        target = kwargs.pop("target", target_name) or (None if own_column is None else str(own_column.name))
        if default_loss == "categorical_crossentropy" and _weighs_pairs(post):
            # There each score is a row of its own, whose softmax would be 1.
            default_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        super().__init__(
            to_call=layer,
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=target,
            pre=pre,
            post=post,
            logits_temperature=logits_temperature,
            **kwargs,
        )
        id_column = _id_column(schema) if schema is not None else own_column
        if id_column is None:
            raise ConfigError(
                f"{self.task_name} does not know the column of the items' ids",
                fix="Give schema=, a schema of that column.",
            )
        #: The column of the items' ids.
        self.col_schema = id_column
        self.query_name = query_name
        self.candidate_name = candidate_name
        self.downscore_false_negatives = downscore_false_negatives
        self.false_negative_score = false_negative_score
        self.store_negative_ids = store_negative_ids
        self.logq_sampling_correction = logq_sampling_correction
        self.logq_after_temperature = logq_after_temperature
        self._sampler_list = SamplerList(parse_samplers(negative_samplers, self.col_schema))

    @property
    def negative_samplers(self) -> list[CandidateSampler]:
        """The samplers."""
        return self._sampler_list.samplers

    def children(self) -> list[Any]:
        """The inner layers, the samplers among them."""
        return [*(value for name, value in vars(self).items() if not name.startswith("_")), self.negative_samplers]

    def set_negative_samplers(self, negative_samplers: Samplers) -> None:
        """Replaces the samplers. A model that was trained with others must be compiled again.

        Raises:
            ConfigError: if an item is neither a sampler nor the name of one.
        """
        self._sampler_list.samplers = parse_samplers(negative_samplers, self.col_schema)
        if self.built:
            self._prepare_samplers()

    def set_schema(self, schema: Schema | None) -> Self:
        """Passes the schema on to the layers before and after the prediction, and returns the output."""
        for layer in (self.pre, self.post):
            if isinstance(layer, Block):
                layer.set_schema(schema)
        return self

    def _use_dot_product(self, shape: Shape) -> None:
        """Scores by dot product if the input is that of two towers, where `to_call` is a column."""
        towers = isinstance(shape, dict) and all(key in shape for key in self.keys)
        if towers and not isinstance(self.to_call, DotProduct):
            self.to_call = DotProduct(*self.keys)

    def build(self, input_shape: Shape) -> None:
        """Builds the layers and the state of the samplers."""
        shape = as_shape(input_shape)
        if self.pre is not None:
            shape = build_layer(self.pre, shape)
        self._use_dot_product(shape)
        scores = build_layer(self.to_call, shape)
        query = shape[self.query_name] if isinstance(shape, dict) else shape
        self._sampler_list.dim = query[-1]
        self._prepare_samplers()
        if self.post is not None:
            build_layer(self.post, scores)
        self.built = True

    def _prepare_samplers(self) -> None:
        domain = self.col_schema.int_domain
        number = None if domain is None or not domain.max else int(domain.max) + 1
        for sampler in self.negative_samplers:
            sampler.prepare(self._sampler_list.dim, number, with_probs=self.logq_sampling_correction)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the scores without training or testing."""
        shape = as_shape(input_shape)
        self._use_dot_product(shape if self.pre is None else output_shape(self.pre, shape))
        return super().compute_output_shape(shape)

    def to_dataset(self, gpu: bool | None = None) -> Dataset:
        """Returns the vectors of all items as a `merlin.io.Dataset`: one row for each id, columns `"0"` to `"D - 1"`.

        Args:
            gpu: Accepted, without effect: the frame is always a pandas one.

        Raises:
            ConfigError: if the output holds none, or is not built.
        """
        return candidate_dataset(self.to_call)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = without_default_metrics(self, super().get_config(), default_categorical_prediction_metrics)
        config["target_name"] = config.pop("target")
        return {
            **config,
            "negative_samplers": to_config(self.negative_samplers),
            "downscore_false_negatives": self.downscore_false_negatives,
            "false_negative_score": self.false_negative_score,
            "query_name": self.query_name,
            "candidate_name": self.candidate_name,
            "store_negative_ids": self.store_negative_ids,
            "logq_sampling_correction": self.logq_sampling_correction,
            "schema": to_config(Schema([self.col_schema])),
            "logq_after_temperature": self.logq_after_temperature,
        }

    @property
    def keys(self) -> list[str]:
        """Names of the queries and candidates in the input of two towers."""
        return [self.query_name, self.candidate_name]

    @property
    def has_candidate_weights(self) -> bool:
        """Whether the output has a vector for every item."""
        return has_candidate_weights(self.to_call)

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the `Prediction` in training and testing, otherwise scores alone."""
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        if not (training or testing) or (self.has_candidate_weights and targets is None):
            return super().call(inputs, training, testing, features)
        if self.pre is not None:
            inputs = call_layer(self.pre, inputs, **arguments)
        prediction = self.call_contrastive(inputs, features, targets, bool(training), bool(testing))
        prediction = prediction._replace(outputs=self.scale(prediction.outputs, compared=True))
        return self._apply_post(prediction, **arguments)

    def _apply_post(self, prediction: Prediction, targets: Any, features: Any, **arguments: Any) -> Prediction:
        """Applies `post` to the prediction."""
        chain = self.post.layers if isinstance(self.post, SequentialBlock) else [self.post] if self.post else []
        for layer in chain:
            if isinstance(layer, SampleWeight):
                prediction = self.weighted(prediction, layer.row_weights(targets, features, self.target))
            elif isinstance(layer, Block):
                prediction = call_layer(layer, prediction, targets=targets, features=features, **arguments)
            else:
                prediction = prediction._replace(outputs=call_layer(layer, prediction.outputs, **arguments))
        return prediction

    def weighted(self, prediction: Prediction, sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None) -> Prediction:
        """Returns the prediction with the batch's sample weights, multiplied by the weights of rows or scores."""
        own_weight = prediction.sample_weight
        if own_weight is None or sample_weight is None:
            return super().weighted(prediction, sample_weight)
        weight = tf.reshape(tf.cast(self._own(sample_weight, "sample weight"), own_weight.dtype), (-1, 1))
        return prediction._replace(sample_weight=tf.reshape(own_weight, (tf.shape(weight)[0], -1)) * weight)

    def for_metrics(self, prediction: Prediction, columns: int) -> Prediction:
        """Returns scores of shape (B, at least `columns`), padded with the lowest possible score."""
        scores, targets, weight = prediction.outputs, prediction.targets, prediction.sample_weight
        if len(scores.shape) == 3:  # each score was weighted alone; a row has the weight of its positive
            scores, targets, weight = scores[..., 0], targets[..., 0], weight[:, :1]
        if scores.shape[1] is None or scores.shape[1] < columns:
            missing = [[0, 0], [0, tf.maximum(columns - tf.shape(scores)[1], 0)]]
            scores, targets = tf.pad(scores, missing, constant_values=scores.dtype.min), tf.pad(targets, missing)
        return prediction._replace(outputs=scores, targets=targets, sample_weight=weight)

    def call_contrastive(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        features: Mapping[str, tf.Tensor] | None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None,
        training: bool = False,
        testing: bool = False,
    ) -> Prediction:
        """Returns the scores of the positives and of sampled negatives, before the temperature.

        Args:
            inputs: Queries (B, D), or the dictionary of two towers.
            features: The batch's features by name.
            targets: Ids of the positives, (B, 1), by name or the only one; ignored for two towers.
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
        arguments = {"features": features, "training": training, "testing": testing}
        negatives, positive = self._drawing().draw(positive, **arguments)
        prediction = self.outputs(query, positive, joined(negatives))
        # Sampled scores have no bias. Keras would warn about a weight that no gradient reaches.
        prediction = prediction._replace(outputs=prediction.outputs + zero_bias_gradient(self.to_call))
        if not any(sampler.chooses for sampler in self.negative_samplers):
            return prediction
        return select_negatives(prediction, negatives, self.negative_samplers, self.store_negative_ids)

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

    def outputs(self, query_embedding: tf.Tensor, positive: Candidate, negative: Candidate) -> Prediction:
        """Returns the scores of the positives, and of the same negatives for every row.

        Args:
            query_embedding: (B, D)
            positive: Ids (B, 1) and embeddings (B, D).
            negative: Ids (M, 1) and embeddings (M, D).

        Returns:
            Scores (B, 1 + M), the positive first, with their targets.

        Raises:
            ConfigError: if embeddings are missing, or probabilities that the correction needs.
        """
        for kind, candidate in (("positive", positive), ("negative", negative)):
            if not candidate.has_embedding:
                raise ConfigError(f"{self.task_name}: the {kind} items have no embeddings", fix=NO_EMBEDDING)
        query = tf.cast(query_embedding, self.compute_dtype)
        vectors = tf.cast(negative.embedding, self.compute_dtype)
        negative_scores = tf.cast(tf.matmul(query, vectors, transpose_b=True), "float32")
        pairs = tf.cast(query, "float32") * tf.cast(positive.embedding, "float32")
        positive_scores = tf.reduce_sum(pairs, axis=-1, keepdims=True)
        if self.logq_sampling_correction:
            factor = self.logits_temperature if self.logq_after_temperature else 1.0
            positive_scores -= factor * log_probabilities(positive, self.task_name)
            negative_scores -= factor * tf.transpose(log_probabilities(negative, self.task_name))
        if self.downscore_false_negatives:
            negative_scores = down_score(negative_scores, positive.id, negative.id, self.false_negative_score)
        prediction = one_positive(tf.concat([positive_scores, negative_scores], axis=1))
        return prediction._replace(negative_candidate_ids=negative.id) if self.store_negative_ids else prediction

    def sample_negatives(
        self,
        positive: Candidate,
        features: Mapping[str, tf.Tensor] | None,
        training: bool = False,
        testing: bool = False,
    ) -> tuple[Candidate, Candidate]:
        """Samples negatives from all samplers.

        Args:
            positive: The positives of the batch, with embeddings.
            features: The batch's features by name.
            training: Whether in training.
            testing: Whether in testing.

        Returns:
            The negatives, and the positives with their sampling probabilities if the samplers have them.

        Raises:
            ConfigError: if there is no sampler, several with a correction, or one returns no embeddings where they
                are required.
        """
        negatives, positive = self._drawing().draw(positive, features=features, training=training, testing=testing)
        return joined(negatives), positive

    def _drawing(self) -> Drawing:
        return Drawing(
            self.task_name,
            self.negative_samplers,
            corrected=self.logq_sampling_correction,
            down_scored=self.downscore_false_negatives,
            look_up=self.embedding_lookup if self.has_candidate_weights else None,
        )

    def embedding_lookup(self, ids: tf.Tensor) -> Any:
        """Returns the vectors of items, (M, D), that the output holds.

        Args:
            ids: (M, 1) or (M,)

        Raises:
            ConfigError: if it holds none, as with two towers.
        """
        if not self.has_candidate_weights:
            raise ConfigError(f"{self.task_name} has no vectors of all items", fix=NO_EMBEDDING)
        return candidate_rows(self.to_call, tf.reshape(ids, (-1,)), self.compute_dtype)


def _id_column(schema: Schema) -> ColumnSchema:
    """The column of the item ids: the only one, or the first one tagged ITEM_ID."""
    columns = list(schema)
    if not columns:
        raise SchemaError("ContrastiveOutput: schema", expected="the column of the items' ids", got="no column")
    return next(iter(schema.select_by_tag(Tags.ITEM_ID)), columns[0])


def _weighs_pairs(post: Any) -> bool:
    layers = post.layers if isinstance(post, SequentialBlock) else [post]
    return any(isinstance(layer, ContrastiveSampleWeight) for layer in layers)


#: Added to a probability before its logarithm is taken.
EPSILON = 1e-16


def log_probabilities(candidate: Candidate, owner: str) -> Any:
    """Returns the logarithm of the sampling probability of each item, (M, 1).

    Raises:
        ConfigError: if it is unknown.
    """
    if candidate.sampling_prob is None:
        raise ConfigError(
            f"{owner}: logq_sampling_correction",
            expected="a sampler that says how probable items are, and a column of ids with a domain",
            got="no probabilities",
        )
    return tf.math.log(tf.reshape(tf.cast(candidate.sampling_prob, "float32"), (-1, 1)) + EPSILON)


def down_score(scores: tf.Tensor, positive_ids: tf.Tensor, negative_ids: tf.Tensor, value: float) -> Any:
    """Returns the scores (B, M) with `value` where the negative is the row's positive.

    Args:
        scores: (B, M)
        positive_ids: (B, 1)
        negative_ids: (M, 1)
        value: Score of false negatives.
    """
    positive, negative = (tf.cast(ids_as_column(ids), "int64") for ids in (positive_ids, negative_ids))
    same = tf.equal(positive, tf.transpose(negative))
    return tf.where(same, tf.constant(value, scores.dtype), scores)


def one_positive(scores: tf.Tensor) -> Prediction:
    """Returns scores (B, 1 + M) with targets that are 1 in the first column and 0 in the others."""
    first = tf.ones_like(scores[:, :1])
    return Prediction(scores, tf.concat([first, tf.zeros_like(scores[:, 1:])], axis=1))


def select_negatives(
    prediction: Prediction, negatives: list[Candidate], samplers: list[CandidateSampler], with_ids: bool
) -> Prediction:
    """Reduces the negatives of each row to those that the samplers choose for it.

    Args:
        prediction: Scores (B, 1 + M) of the positives and of the negatives of all samplers.
        negatives: The negatives of each sampler.
        samplers: The samplers; those that do not choose keep all.
        with_ids: Whether the ids are returned.

    Returns:
        Scores (B, 1 + K), ids (B, K).
    """
    scores, rows = prediction.outputs, tf.shape(prediction.outputs)[0]
    selected_scores, ids, start = [scores[:, :1]], [], 1
    for sampler, candidate in zip(samplers, negatives, strict=True):
        number = candidate.id.shape[0] or tf.shape(candidate.id)[0]
        sampler_scores = scores[:, start : start + number]
        row_ids = tf.repeat(tf.transpose(candidate.id), rows, axis=0)
        if sampler.chooses:
            columns = sampler.choose(sampler_scores)
            sampler_scores, row_ids = (
                tf.gather(sampler_scores, columns, batch_dims=1),
                tf.gather(row_ids, columns, batch_dims=1),
            )
        selected_scores.append(sampler_scores)
        ids.append(row_ids)
        start += number
    prediction = one_positive(tf.concat(selected_scores, axis=1))
    return prediction._replace(negative_candidate_ids=tf.concat(ids, axis=1)) if with_ids else prediction


def default_contrastive_output(ids: ColumnSchema, samplers: Samplers | None, temperature: float) -> ContrastiveOutput:
    """Returns the default output of a two-tower model: in-batch negatives with the logQ correction, or `samplers`.

    Args:
        ids: Column of the items' ids.
        samplers: Samplers; None for the batch.
        temperature: Divisor of the scores.
    """
    parsed = parse_samplers("in-batch" if samplers is None else samplers, ids)
    return ContrastiveOutput(
        DotProduct(),
        parsed,
        logits_temperature=temperature,
        # Without it, popular items are penalized as negatives: see docs/quality-retrieval.md.
        logq_sampling_correction=len(parsed) == 1 and isinstance(parsed[0], InBatchSamplerV2),
        logq_after_temperature=True,
        schema=Schema([ids]),
    )
