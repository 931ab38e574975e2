"""What every evaluation is made from and leaves behind, whatever kind of model is judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from emrys.blocks.io import write_json
from emrys.components.contracts.column_roles import Roles
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.model_registry.production import Production
from emrys.components.reporting.evaluation_page import EvaluationPage
from emrys.components.reporting.evaluation_view import EvaluationView
from emrys.components.reporting.facts import versions

Kind = TypeVar("Kind", bound=Evaluation)


@dataclasses.dataclass(frozen=True)
class Judged:
    """A trained model, and the data that it is judged on.

    Args:
        raw: Raw splits.
        data: Transformed splits, row by row the raw ones.
        model: The model.
        features: Schema of the transformed data.
        roles: Columns that carry a role.
    """

    raw: Splits
    data: Transformed
    model: ModelArtifact
    features: FeatureSchema
    roles: Roles

    @classmethod
    def open(cls, splits: Path, data: Path, model: Path, schema: Path, target: str | None) -> Self:
        """Opens the artifacts.

        Raises:
            ArtifactError: if one is missing or damaged.
            SchemaError: if the schema does not say which columns are user, item and label.
        """
        features = FeatureSchema(schema)
        roles = Roles.of(features.schema, target)
        return cls(Splits(splits), Transformed(data), ModelArtifact(model), features, roles)

    @property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of each artifact, by name."""
        artifacts = {
            "splits": self.raw,
            "transformed data": self.data,
            "schema": self.features,
            "model": self.model,
        }
        return {name: artifact.fingerprint for name, artifact in artifacts.items()}

    def write(
        self,
        kind: type[Kind],
        output: Path,
        *,
        step: str,
        view: type[EvaluationView],
        config: Any,
        metrics: Mapping[str, float],
        curves: Mapping[str, Any],
        rows: MeasuredRows,
        live: Production | None,
        more: Mapping[str, Any] | None = None,
        add: Callable[[Path], None] | None = None,
    ) -> Kind:
        """Writes an evaluation of the model, whole or not at all.

        Args:
            kind: Class of the artifact.
            output: Where it shall stand.
            step: Name of the step.
            view: How it is shown on its page.
            config: Settings of the step, a dataclass.
            metrics: Metrics and counts by name.
            curves: What is drawn.
            rows: What was measured on each row.
            live: What was in production.
            more: Further metadata.
            add: Writes further files into the folder that it is given.

        Returns:
            The evaluation.
        """
        metadata = {
            "task": view.task,
            "target": self.roles.target,
            "config": dataclasses.asdict(config),
            "inputs": self.fingerprints,
            "versions": versions(),
            "production": None if live is None else live.version,
            **(more or {}),
        }
        page = EvaluationPage.of(step, view(metrics, curves, metadata, rows), self.raw, self.features, self.model)
        with kind.create(output, metadata) as work:
            write_json(work / "metrics.json", dict(metrics))
            write_json(work / "curves.json", dict(curves))
            rows.write(work / "rows.parquet")
            (work / "report.html").write_text(page.render(), encoding="utf-8")
            if add is not None:
                add(work)
        return kind(output)
