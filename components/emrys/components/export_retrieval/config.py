"""Settings of the step export_retrieval."""

from __future__ import annotations

from dataclasses import dataclass

from emrys.components.serving.config import EnsembleConfig


@dataclass(frozen=True)
class ExportRetrievalConfig(EnsembleConfig):
    """Settings for exporting a retrieval model: those of `EnsembleConfig`, and K.

    Args:
        name: Name of the ensemble; its two models are `<name>_transform` and `<name>_model`. Default: retrieval.
        k: Number of items recommended per query; the whole catalogue where it is smaller. Default: 100.
    """

    name: str = "retrieval"
    k: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("k")
