"""The page of an evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import SPLITS, Splits
from emrys.components.reporting.evaluation_view import EvaluationView
from emrys.components.reporting.facts import ColumnFacts, SplitFacts, plain_facts
from emrys.components.reporting.plots import training_figures
from emrys.components.reporting.rendering import render


@dataclasses.dataclass(frozen=True)
class EvaluationPage:
    """What stands on the page. Every text is escaped when it is rendered.

    Args:
        step: Name of the step that writes it.
        view: The numbers.
        dataset: Name of the data set.
        splits: Facts of each split.
        columns: Facts of each column of the schema.
        data: Further facts of the data, by name.
        history: One dict of metrics an epoch; empty when there is none.
        summary: Summary of the model, as text.
        fingerprints: Fingerprint of each input, by name.
        versions: Versions, by name.
    """

    step: str
    view: EvaluationView
    dataset: str
    splits: Sequence[SplitFacts]
    columns: Sequence[ColumnFacts]
    data: Mapping[str, str]
    history: Sequence[dict[str, Any]]
    summary: str
    fingerprints: Mapping[str, str]
    versions: Mapping[str, str]

    @classmethod
    def of(cls, step: str, view: EvaluationView, raw: Splits, features: FeatureSchema, network: ModelArtifact) -> Self:
        """Collects what stands on the page of an evaluation."""
        return cls(
            step=step,
            view=view,
            dataset=Path(raw.metadata.get("dataset") or "unnamed data").name,
            splits=[SplitFacts.of(raw.file(name), view.target) for name in SPLITS],
            columns=[ColumnFacts.of(column) for column in features.schema],
            data=plain_facts(raw.metadata),
            history=network.history,
            summary=network.summary,
            fingerprints=view.metadata["inputs"],
            versions=view.metadata["versions"],
        )

    def render(self) -> str:
        """Writes the page. Equal content gives equal bytes."""
        return render("evaluation.html.j2", page=self, view=self.view, training=training_figures(self.history))
