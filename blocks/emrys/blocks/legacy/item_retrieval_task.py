"""Retrieval task (first generation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, Unpack

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import UnnamedBlockArguments
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import SchemaError, reject_removed
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.legacy.item_retrieval_scorer import SAMPLED_SOFTMAX, ItemRetrievalScorer, as_candidate_samplers
from emrys.blocks.legacy.item_sampler import ItemSampler
from emrys.blocks.metrics import TopKMetricsAggregator
from emrys.blocks.outputs.contrastive_output import ContrastiveOutput
from emrys.blocks.outputs.dot_product import DotProduct
from emrys.blocks.sampling.candidate_sampler import CandidateSampler


@keras.saving.register_keras_serializable("emrys")
def default_retrieval_metrics() -> tuple[keras.metrics.Metric, ...]:
    """Recall, MRR, NDCG, MAP and precision at 10, from one ranking."""
    return tuple(TopKMetricsAggregator.default_metrics(top_ks=[10]))


@keras.saving.register_keras_serializable("emrys")
class ItemRetrievalTask(ContrastiveOutput):
    """Output with the scores of the positive and of sampled negatives. Deprecated: use `ContrastiveOutput`.

    Args:
        schema: Schema with the column tagged ITEM_ID.
        samplers: Samplers of either generation. Default: in-batch.
        target_name: Name of the target column. Default: none, as the positives are the targets.
        task_name: Name of the output. Default: `"item_retrieval_task"`, prefixed by `<target>/` if there is a target.
        task_block: Layer before the scores. Default: none.
        post_logits: Layer after the scores, such as `PopularityLogitsCorrection`. Default: none.
        logits_temperature: Divisor of the scores. Default: 1.
        cache_query: Accepted for compatibility; ignored. Default: False.
        store_negative_ids: Whether to return the ids of the negatives. Default: False.

    Input shape:
        Dictionary of queries and items, (B, D) each: `"query"`, and `"item"` or `"candidate"`.

    Output shape:
        (B, 1 + M) in training and testing, otherwise (B, 1).

    Raises:
        SchemaError: if the schema does not have exactly one column tagged ITEM_ID.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([mm.create_categorical_column("item_id", num_items=19, tags=[Tags.ITEM_ID])])
        >>> mm.ItemRetrievalTask(schema).task_name
        'item_retrieval_task'
    """

    def __init__(
        self,
        schema: Schema,
        samplers: ItemSampler | CandidateSampler | Sequence[ItemSampler | CandidateSampler] = (),
        target_name: str | None = None,
        task_name: str | None = None,
        task_block: keras.layers.Layer | None = None,
        post_logits: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        cache_query: bool = False,
        store_negative_ids: bool = False,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        warn_deprecated("ItemRetrievalTask", "ContrastiveOutput")
        reject_removed("ItemRetrievalTask", kwargs, SAMPLED_SOFTMAX)
        ids = schema.select_by_tag(Tags.ITEM_ID)
        if len(ids) != 1:
            raise SchemaError(
                "ItemRetrievalTask: schema",
                expected="one column tagged ITEM_ID",
                got=", ".join(ids.column_names) or f"none among {', '.join(schema.column_names)}",
            )
        self._samplers = list(samplers) if isinstance(samplers, (list, tuple)) else [samplers]
        super().__init__(
            DotProduct("query", "item"),
            as_candidate_samplers(self._samplers, ids.column_names[0]) or "in-batch",
            target_name=target_name,
            pre=task_block,
            post=post_logits,
            logits_temperature=logits_temperature,
            name=task_name,
            default_metrics_fn=default_retrieval_metrics,
            candidate_name="item",
            store_negative_ids=store_negative_ids,
            schema=ids,
            **kwargs,
        )
        self.cache_query = cache_query

    @property
    def target_name(self) -> str | None:
        """Name of the target column."""
        return self.target

    @property
    def retrieval_scorer(self) -> ItemRetrievalScorer:
        """A scorer with the options of the task."""
        with quietly():
            return ItemRetrievalScorer(
                self.negative_samplers,
                item_id_feature_name=self.col_schema.name,
                item_name=self.candidate_name,
                cache_query=self.cache_query,
                store_negative_ids=self.store_negative_ids,
            )

    def set_retrieval_cache_query(self, value: bool) -> None:
        """Sets `cache_query`, which has no effect."""
        self.cache_query = value

    def _use_dot_product(self, shape: Shape) -> None:
        """Accepts the items as `"candidate"` too, their name in the second generation."""
        second = isinstance(shape, dict) and "item" not in shape and "candidate" in shape
        if second and self.candidate_name == "item":
            self.candidate_name = "candidate"
            self.to_call = DotProduct(*self.keys)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        shared = ("trainable", "dtype", "target_name", "logits_temperature", "store_negative_ids", "schema")
        return {
            **{name: config[name] for name in shared},
            "samplers": to_config(self._samplers),
            "task_name": config["name"],
            "task_block": config["pre"],
            "post_logits": config["post"],
            "cache_query": self.cache_query,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the task from `get_config`."""
        with quietly():
            return super().from_config(config)
