"""Telling the right item from sampled ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape, build_layer
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.outputs.candidate_weights import candidate_dataset
from emrys.blocks.outputs.categorical_output import default_categorical_prediction_metrics
from emrys.blocks.outputs.contrastive_sample_weight import ContrastiveSampleWeight
from emrys.blocks.outputs.contrastive_scoring import ContrastiveScoring
from emrys.blocks.outputs.dot_product import DotProduct
from emrys.blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction
from emrys.blocks.outputs.model_output import Metrics, with_judges
from emrys.blocks.outputs.scoring_layer import as_scoring_layer
from emrys.blocks.sampling.candidate_sampler import Samplers, parse_samplers

if TYPE_CHECKING:
    from merlin.io import Dataset

#: Score of negatives that are positives.
FALSE_NEGATIVE_SCORE = -655.04


@keras.saving.register_keras_serializable("emrys")
class ContrastiveOutput(ContrastiveScoring):
    """A score of the right item and scores of sampled negatives: `[q · c⁺ | q · c⁻₁ … q · c⁻_M] / T`.

    Where the items' vectors come from:

    - **Two towers.** The input is a dictionary of queries and candidates; row i of the candidates is the right one for
      query i, and its id is a feature of the batch. Samplers have to give embeddings, as `"in-batch"` does. Without
      training or testing the output is the score of each pair, (B, 1).
    - **Weights for all items**, of an `EmbeddingTable` (tied with the input) or its own. The input is one tensor; the
      right item's id is the target. Samplers may give ids alone, as `"popularity"` does. Without training or testing,
      and without targets, the output is a score for every item, (B, N), with the bias where there is one. Sampled
      scores have no bias, so training leaves it as it is: zeros, unless it was loaded.

    In training and testing it gives a `Prediction` with targets `[1 | 0 … 0]`. `evaluate` draws negatives as `fit`
    does: its metrics are those among the sampled items. For metrics among all items use the model's top-k encoder.

    Steps, in order: scores; `logq_sampling_correction` (`- ln(p + 1e-16)`, p the probability of an item to be drawn;
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
        post: Layer behind it; it gets the `Prediction`, in training and testing. Default: none.
        logits_temperature: T. Default: 1.
        name: Task name of the output. Default: `<target>/contrastive_output`.
        default_loss: Loss that is used when `compile` names none. Default: `"categorical_crossentropy"`, from logits;
            with a `ContrastiveSampleWeight` in `post` binary cross-entropy, from logits.
        default_metrics_fn: Gives the metrics used when `compile` names none. Default: recall, MRR, NDCG, MAP and
            precision at 10.
        downscore_false_negatives: Whether negatives with the id of the row's positive get `false_negative_score`.
            Default: True.
        false_negative_score: See there; the temperature divides it too. Default: -655.04.
        query_name: Name of the queries. Default: `"query"`.
        candidate_name: Name of the candidates. Default: `"candidate"`.
        store_negative_ids: Whether the ids of the negatives are given on, as `negative_candidate_ids`: (M, 1), or
            (B, M) where a sampler chooses hard negatives for each row. Default: False.
        logq_sampling_correction: Whether scores are corrected for how often items are drawn; with one sampler only.
            For `"in-batch"` the probabilities are counted in training, see `InBatchSamplerV2`. Default: False.
        schema: Schema of one column, the items' ids, needed where `to_call` does not tell it.
        logq_after_temperature: Whether the correction is one of scores that the temperature has divided, which is what
            the paper corrects; otherwise the temperature divides the correction too. Default: False.

    Input shape:
        (B, D), or a dictionary with two tensors (B, D). Ragged (B, None, D) with ragged targets (B, None) stands for
        one row an element.

    Output shape:
        (B, 1 + M) in training and testing; otherwise (B, N), or (B, 1) for two towers. Float32.

    Raises:
        ConfigError: if an argument cannot be, or the column of the ids is unknown; when called, if there is no sampler,
            or a sampler lacks what is asked of it.

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

    def __init__(
        self,
        to_call: Schema | ColumnSchema | EmbeddingTable | keras.layers.Layer,
        negative_samplers: Samplers,
        target_name: str | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        name: str | None = None,
        default_loss: Any = "categorical_crossentropy",
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
        known = None if columns is None else _id_column(columns)
        target = kwargs.pop("target", target_name) or (None if known is None else str(known.name))
        if default_loss == "categorical_crossentropy" and _weighs_pairs(post):
            # Each score is a row of its own there, of which a softmax would make 1.
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
        found = _id_column(schema) if schema is not None else known
        if found is None:
            raise ConfigError(
                f"{self.task_name} does not know the column of the items' ids",
                fix="Give schema=, a schema of that column.",
            )
        #: The column of the items' ids.
        self.col_schema = found
        self.query_name = query_name
        self.candidate_name = candidate_name
        self.downscore_false_negatives = downscore_false_negatives
        self.false_negative_score = false_negative_score
        self.store_negative_ids = store_negative_ids
        self.logq_sampling_correction = logq_sampling_correction
        self.logq_after_temperature = logq_after_temperature
        self.negative_samplers = parse_samplers(negative_samplers, self.col_schema)

    def set_negative_samplers(self, negative_samplers: Samplers) -> None:
        """Replaces the samplers, before the output is built.

        Raises:
            ConfigError: if it is built: their state is part of a model's weights.
        """
        if self.built:
            raise ConfigError(f"{self.task_name} is built", fix="Set the samplers before the first batch.")
        self.negative_samplers = parse_samplers(negative_samplers, self.col_schema)

    def set_schema(self, schema: Schema | None) -> None:
        """Tells the layers around the prediction which columns there are."""
        for layer in (self.pre, self.post):
            if isinstance(layer, Block):
                layer.set_schema(schema)

    def _take_towers(self, shape: Shape) -> None:
        """Compares the two of the input, where a column was given and the input is that of two towers."""
        towers = isinstance(shape, dict) and all(key in shape for key in self.keys)
        if towers and not isinstance(self.to_call, DotProduct):
            self.to_call = DotProduct(*self.keys)

    def build(self, input_shape: Shape) -> None:
        """Builds the layers and the state of the samplers."""
        shape = as_shape(input_shape)
        if self.pre is not None:
            shape = build_layer(self.pre, shape)
        self._take_towers(shape)
        scores = build_layer(self.to_call, shape)
        query = shape[self.query_name] if isinstance(shape, dict) else shape
        domain = self.col_schema.int_domain
        number = None if domain is None or not domain.max else int(domain.max) + 1
        for sampler in self.negative_samplers:
            sampler.prepare(query[-1], number, with_probs=self.logq_sampling_correction)
        if self.post is not None:
            build_layer(self.post, scores)
        self.built = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the scores without training or testing."""
        shape = as_shape(input_shape)
        self._take_towers(shape if self.pre is None else as_shape(self.pre.compute_output_shape(shape)))
        return super().compute_output_shape(shape)

    def to_dataset(self, gpu: bool | None = None) -> Dataset:
        """The vectors of all items as a `merlin.io.Dataset`: one row for each id, columns `"0"` to `"D - 1"`.

        Args:
            gpu: Kept, without effect: the frame is always a pandas one.

        Raises:
            ConfigError: if the output holds none, or is not built.
        """
        return candidate_dataset(self.to_call)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = with_judges(self, super().get_config(), default_categorical_prediction_metrics)
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


def _id_column(schema: Schema) -> ColumnSchema:
    """The column of the items' ids: the only one, or the first that is tagged so."""
    columns = list(schema)
    if not columns:
        raise SchemaError("ContrastiveOutput: schema", expected="the column of the items' ids", got="no column")
    return next(iter(schema.select_by_tag(Tags.ITEM_ID)), columns[0])


def _weighs_pairs(post: Any) -> bool:
    layers = post.layers if isinstance(post, SequentialBlock) else [post]
    return any(isinstance(layer, ContrastiveSampleWeight) for layer in layers)
