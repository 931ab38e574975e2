"""Drawing negatives from several samplers."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emrys.blocks.core.calling import call_layer
from emrys.blocks.errors import ConfigError
from emrys.blocks.sampling.candidate import Candidate, ids_as_column
from emrys.blocks.sampling.candidate_sampler import CandidateSampler

#: What to do where items have no embeddings.
NO_EMBEDDING = "Sample in-batch, or give the output an EmbeddingTable of the items."


@dataclass(frozen=True)
class Drawing:
    """Draws negatives for an output.

    Attributes:
        owner: Name of the output, for errors.
        samplers: The samplers.
        corrected: Whether scores will be corrected for how probable items are to be drawn.
        down_scored: Whether negatives that are the row's positive get the lowest score.
        look_up: Gives the embeddings (M, D) of ids (M, 1) where samplers give ids alone. None: nothing does.
    """

    owner: str
    samplers: list[CandidateSampler]
    corrected: bool
    down_scored: bool
    look_up: Callable[[Any], Any] | None

    def check(self) -> None:
        """Refuses samplers that cannot be drawn from together.

        Raises:
            ConfigError: if there is none, there are several to correct for, or hard negatives without down-scoring.
        """
        if not self.samplers:
            raise ConfigError(f"{self.owner} has no negatives", expected="at least one sampler", got="none")
        if self.corrected and len(self.samplers) > 1:
            raise ConfigError(
                f"{self.owner}: logq_sampling_correction",
                expected="one sampler",
                got=str(len(self.samplers)),
                fix="The probability of an item to be drawn is that of one sampler.",
            )
        if not self.down_scored and any(sampler.chooses for sampler in self.samplers):
            raise ConfigError(
                f"{self.owner}: hard negatives",
                expected="downscore_false_negatives=True",
                got="False",
                fix="The hardest negative of a row would be its positive.",
            )

    def draw(self, positive: Candidate, **told: Any) -> tuple[list[Candidate], Candidate]:
        """What each sampler draws, with ids (M, 1) and embeddings (M, D).

        Args:
            positive: The positives of the batch.
            **told: What samplers are told: `features`, `training`, `testing`.

        Returns:
            The negatives by sampler, and the positives with the probability of each to be drawn, where it is known.

        Raises:
            ConfigError: see `check`; or if a sampler gives no embeddings and nothing else does.
        """
        self.check()
        drawn = []
        for sampler in self.samplers:
            found = sampler.with_sampling_probs(call_layer(sampler, positive, **told))
            if not found.has_embedding:
                if self.look_up is None:
                    raise ConfigError(f"{self.owner}: {sampler.name} gives no embeddings", fix=NO_EMBEDDING)
                found = found.with_embedding(self.look_up(found.id))
            drawn.append(found._replace(id=ids_as_column(found.id)))
            positive = sampler.with_sampling_probs(positive)
        return drawn, positive


def joined(drawn: list[Candidate]) -> Candidate:
    """The negatives of all samplers, one after the other."""
    return functools.reduce(operator.add, drawn)
