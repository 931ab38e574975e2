"""Input artifacts of the evaluation steps."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from emrys.blocks.errors import SchemaError
from emrys.components.contracts.column_roles import tags_of
from emrys.components.contracts.data_schema import DataSchema, Target, TargetKind
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.transformed import Transformed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclasses.dataclass(frozen=True)
class EvaluationInputs:
    """A trained model, and the data that it is evaluated on.

    Args:
        raw: Raw splits.
        data: Transformed splits, row by row as the raw ones.
        model: The model.
        features: Schema of the transformed data.
    """

    raw: Splits
    data: Transformed
    model: ModelArtifact
    features: FeatureSchema

    @classmethod
    def open(cls, splits: Path, data: Path, model: Path, schema: Path) -> Self:
        """Opens the artifacts.

        Raises:
            ArtifactError: if an artifact is missing or damaged.
        """
        return cls(Splits(splits), Transformed(data), ModelArtifact(model), FeatureSchema(schema))

    @property
    def data_schema(self) -> DataSchema:
        """Columns and targets of the log."""
        return self.raw.data_schema

    def targets(self, wanted: str | None = None) -> tuple[Target, ...]:
        """Targets of the log that the model predicts, as far as it says so, and the transformed data has.

        Args:
            wanted: Name of the only target to return; None for all.

        Raises:
            SchemaError: if there is none.
        """
        tagged = [column.name for column in self.features.schema if "target" in tags_of(column)]
        known = dict(self.model.metadata.get("targets") or dict.fromkeys(tagged))
        there = tuple(target for target in self.data_schema.targets if target.name in tagged and target.name in known)
        if wanted is None and there:
            return there
        matches = tuple(target for target in there if target.name == wanted)
        if not matches:
            raise SchemaError(
                "the schema has no target" if wanted is None else "the target is not in the schema",
                path=self.features.path,
                column=wanted,
                expected=f"a column tagged target among {_listed(self.data_schema.targets)}",
                got=_listed(there),
                fix="Name the target in `columns.targets` of the recipe, and run ingest and the steps after it again.",
            )
        return matches

    def positive_target(self, wanted: str | None = None) -> Target | None:
        """The binary target whose positive rows are relevant: the first one; None for implicit feedback.

        Args:
            wanted: Name of the target; None for the first one.

        Raises:
            SchemaError: if no target is binary.
        """
        targets = self.data_schema.targets
        if not targets and wanted is None:
            return None
        binary = [target for target in targets if target.kind is TargetKind.BINARY and wanted in (None, target.name)]
        if not binary:
            raise SchemaError(
                "there is no binary target whose positive rows are relevant",
                path=self.raw.path,
                column=wanted,
                expected="a binary target, or none for implicit feedback",
                got=_listed(targets),
                fix="Set `above` or `values` of the target in `columns.targets` of the recipe, or `columns.feedback: "
                "implicit`.",
            )
        return binary[0]

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

    def metadata(
        self, task: str, targets: Sequence[Target], config: DataclassInstance, production: str | None
    ) -> dict[str, Any]:
        """Metadata of the evaluation artifact.

        Args:
            task: Kind of the model: `ranking` or `retrieval`.
            targets: The evaluated targets; none for implicit feedback.
            config: Settings of the step.
            production: Name of the version in production that the model was compared with.
        """
        return {
            "task": task,
            "target": targets[0].name if targets else "",
            "targets": [{"name": target.name, "kind": target.kind.value} for target in targets],
            "config": dataclasses.asdict(config),
            "inputs": self.fingerprints,
            "versions": versions(),
            "production": production,
        }


def _listed(targets: Sequence[Target]) -> str:
    return ", ".join(target.name for target in targets) or "none"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the metrics depend on."""
    installed = {}
    for name in ("emrys", "keras", "tensorflow", "tensorflow-cpu", "scikit-learn", "numpy", "pyarrow"):
        try:
            installed[name] = packages.version(name)
        except packages.PackageNotFoundError:
            continue
    return {**installed, "python": platform.python_version()}
