"""Base of the blocks that hold candidates."""

from __future__ import annotations

from typing import Any

from emrys.blocks.core.block import Block
from emrys.blocks.retrieval.candidate_index import CandidateIndex


class CandidateHolder(Block):
    """A block with candidates: they are saved beside its weights, and are none themselves.

    Attributes:
        candidates: Their vectors and ids.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidates = CandidateIndex()

    def save_own_variables(self, store: Any) -> None:
        """Writes the candidates."""
        for name, value in self.candidates.saved().items():
            store[name] = value

    def load_own_variables(self, store: Any) -> None:
        """Reads the candidates."""
        self.candidates.restore({name: store[name] for name in store.keys()})  # noqa: SIM118 - no dictionary

    def take_candidates(self, other: CandidateHolder) -> None:
        """Takes the candidates of another block of the same kind."""
        store: dict[str, Any] = {}
        other.save_own_variables(store)
        self.load_own_variables(store)
