"""Input artifacts of the evaluation steps."""

from __future__ import annotations

import dataclasses
import platform
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from emrys.components.contracts.column_roles import ColumnRoles
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
        roles: Columns of the user id, the item id and the label.
    """

    raw: Splits
    data: Transformed
    model: ModelArtifact
    features: FeatureSchema
    roles: ColumnRoles

    @classmethod
    def open(cls, splits: Path, data: Path, model: Path, schema: Path, target: str | None) -> Self:
        """Opens the artifacts.

        Raises:
            ArtifactError: if an artifact is missing or damaged.
            SchemaError: if the schema does not determine the columns of user, item and label.
        """
        features = FeatureSchema(schema)
        roles = ColumnRoles.of(features.schema, target)
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

    def metadata(self, task: str, config: DataclassInstance, production: str | None) -> dict[str, Any]:
        """Metadata of the evaluation artifact.

        Args:
            task: Kind of the model: `ranking` or `retrieval`.
            config: Settings of the step.
            production: Name of the version in production that the model was compared with.
        """
        return {
            "task": task,
            "target": self.roles.target,
            "config": dataclasses.asdict(config),
            "inputs": self.fingerprints,
            "versions": versions(),
            "production": production,
        }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the metrics depend on."""
    installed = {}
    for name in ("emrys", "keras", "tensorflow", "tensorflow-cpu", "scikit-learn", "numpy", "pyarrow"):
        try:
            installed[name] = packages.version(name)
        except packages.PackageNotFoundError:
            continue
    return {**installed, "python": platform.python_version()}
