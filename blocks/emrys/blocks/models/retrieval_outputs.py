"""The outputs of two-tower models, where their caller does not say."""

from __future__ import annotations

from merlin.schema import ColumnSchema, Schema

from emrys.blocks.outputs.contrastive_output import ContrastiveOutput
from emrys.blocks.outputs.dot_product import DotProduct
from emrys.blocks.sampling.candidate_sampler import Samplers, parse_samplers
from emrys.blocks.sampling.in_batch_sampler_v2 import InBatchSamplerV2


def contrastive_output(ids: ColumnSchema, samplers: Samplers | None, temperature: float) -> ContrastiveOutput:
    """Tells the right item from those of the batch, corrected for how often each occurs, or from what others draw.

    Args:
        ids: Column of the items' ids.
        samplers: Samplers; None for the batch.
        temperature: What scores are divided by.
    """
    parsed = parse_samplers("in-batch" if samplers is None else samplers, ids)
    return ContrastiveOutput(
        DotProduct(),
        parsed,
        logits_temperature=temperature,
        # Without it the items of a batch, popular ones mostly, are pushed away: see docs/quality-retrieval.md.
        logq_sampling_correction=len(parsed) == 1 and isinstance(parsed[0], InBatchSamplerV2),
        logq_after_temperature=True,
        schema=Schema([ids]),
    )
