"""HTML page of an evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from emrys.components.contracts.splits import SPLITS
from emrys.components.evaluation.inputs import EvaluationInputs
from emrys.components.reporting.evaluation_view import EvaluationView
from emrys.components.reporting.facts import ColumnFacts, SplitFacts, plain_facts
from emrys.components.reporting.plots import training_figures
from emrys.components.reporting.rendering import render


@dataclasses.dataclass(frozen=True)
class EvaluationPage:
    """Content of the page. Rendering escapes every text.

    Args:
        step: Name of the step that writes the page.
        view: View of the evaluation.
        dataset: Name of the data set.
        splits: Facts of each split.
        columns: Facts of each column of the schema.
        data: Further facts of the data, by name.
        history: One dict of metrics per epoch, possibly empty.
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
    def of(cls, step: str, view: EvaluationView, inputs: EvaluationInputs) -> Self:
        """Collects the content from the view and the inputs of an evaluation."""
        return cls(
            step=step,
            view=view,
            dataset=Path(inputs.raw.metadata.get("dataset") or "unnamed data").name,
            splits=[SplitFacts.of(inputs.raw.file(name), inputs.raw.data_schema, view.target) for name in SPLITS],
            columns=[ColumnFacts.of(column) for column in inputs.features.schema],
            data=plain_facts(inputs.raw.metadata),
            history=inputs.model.history,
            summary=inputs.model.summary,
            fingerprints=view.metadata["inputs"],
            versions=view.metadata["versions"],
        )

    def render(self) -> str:
        """Renders the page; equal content gives equal bytes."""
        return render("evaluation.html.j2", page=self, view=self.view, training=training_figures(self.history))
