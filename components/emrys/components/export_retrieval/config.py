"""Settings of the export of a retrieval model."""

from __future__ import annotations

from dataclasses import dataclass

from emrys.components.export_ensemble.config import ExportConfig


@dataclass(frozen=True)
class ExportRetrievalConfig(ExportConfig):
    """How a retrieval model is exported and checked: the settings of `ExportConfig`, and how much is recommended.

    Args:
        name: Name of the ensemble; its two models are `<name>_transform` and `<name>_model`.
        k: Items that are recommended for each query; all where there are fewer.
    """

    name: str = "retrieval"
    k: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_whole("k")
