"""The models that Merlin Models keeps apart as baselines: `mm.benchmark.NCFModel` is `mm.NCFModel`."""

from __future__ import annotations

from emrys.blocks.models.ncf import NCFModel

__all__ = ["NCFModel"]
