"""Settings of the step export_ensemble."""

from __future__ import annotations

from dataclasses import dataclass

from emrys.components.serving.config import EnsembleConfig


@dataclass(frozen=True)
class ExportConfig(EnsembleConfig):
    """Settings for exporting a ranking model: those of `EnsembleConfig`.

    Args:
        name: Name of the ensemble; its two models are `<name>_transform` and `<name>_model`. Default: ranking.
    """

    name: str = "ranking"
