"""`TwoTowerModelV2`: a two-tower retrieval model."""

from __future__ import annotations

from typing import Unpack

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.errors import ConfigError
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.models.retrieval_model import RetrievalModelArguments, RetrievalModelV2
from emrys.blocks.outputs.contrastive_output import default_contrastive_output
from emrys.blocks.outputs.model_output import OutputsArgument
from emrys.blocks.sampling.candidate_sampler import Samplers
from emrys.blocks.schema.functions import id_column


class TwoTowerArguments(RetrievalModelArguments, total=False):
    """The arguments of `RetrievalModelV2` that `TwoTowerModelV2` passes on."""

    post: keras.layers.Layer | None


def TwoTowerModelV2(  # noqa: N802 - named like a class, as in Merlin Models
    query_tower: Encoder,
    candidate_tower: Encoder,
    candidate_id_tag: Tags = Tags.ITEM_ID,
    outputs: OutputsArgument = None,
    logits_temperature: float = 1.0,
    negative_samplers: Samplers | None = None,
    schema: Schema | None = None,
    **kwargs: Unpack[TwoTowerArguments],
) -> RetrievalModelV2:
    """A two-tower model: the score is the dot product of two encoders, `s(q, c) = f(q) · g(c)`.

    By default, the positive item is contrasted with the other items of the batch, see `ContrastiveOutput`.
    docs/quality-retrieval.md has a training recipe and its quality.

    Args:
        query_tower: Encodes queries, such as users.
        candidate_tower: Encodes candidates; it reads the column of their ids.
        candidate_id_tag: Tag of that column. Default: `Tags.ITEM_ID`.
        outputs: An output, or a list of them. Default: a `ContrastiveOutput`.
        logits_temperature: Divisor of the default output's scores. Default: 1.
        negative_samplers: Samplers of the default output. Default: `"in-batch"`, with the logQ correction,
            which Merlin Models leaves out (docs/coming-from-merlin-models.md).
        schema: The columns of a batch, against which batches are checked. Default: not checked.
        **kwargs: Further arguments of `RetrievalModelV2`.

    Returns:
        The model, to be compiled.

    Raises:
        ConfigError: if a tower is no `Encoder`, or their vectors differ in size.
        SchemaError: if the candidate tower does not read one column with the tag.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> user = Schema([mm.create_categorical_column("user_id", num_items=9, tags=[Tags.USER_ID])])
        >>> item = Schema([mm.create_categorical_column("item_id", num_items=19, tags=[Tags.ITEM_ID])])
        >>> model = mm.TwoTowerModelV2(mm.Encoder(user, mm.MLPBlock([4])), mm.Encoder(item, mm.MLPBlock([4])))
        >>> model.query_encoder.schema.column_names
        ['user_id']

    Reference:
        Yi and others. Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations. RecSys 2019.
    """
    for argument, tower in (("query_tower", query_tower), ("candidate_tower", candidate_tower)):
        if not isinstance(tower, Encoder):
            raise ConfigError(
                f"TwoTowerModelV2: {argument}",
                expected="an Encoder",
                got=type(tower).__name__,
                fix="Wrap it: mm.Encoder(<schema of its columns>, <layers>).",
            )
    if outputs is None:
        columns = candidate_tower.schema if candidate_tower.schema is not None else Schema([])
        ids = id_column(columns, candidate_id_tag, "the candidate tower of TwoTowerModelV2", "candidate_id_tag")
        outputs = default_contrastive_output(ids, negative_samplers, logits_temperature)
    return RetrievalModelV2(query=query_tower, candidate=candidate_tower, output=outputs, schema=schema, **kwargs)
