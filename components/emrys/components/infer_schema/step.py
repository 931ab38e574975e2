"""Infers the Merlin schema of the transformed data from the data and the workflow that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from emrys.blocks.errors import ArtifactError, ConfigError, SchemaError
from emrys.blocks.workflow import FittedWorkflow, OutputColumn
from emrys.blocks.workflow.request import nearest
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.events import emit, running
from emrys.components.infer_schema.column_facts import ColumnFacts, look_over
from emrys.components.infer_schema.config import ROLES, ColumnOverride, SchemaConfig
from emrys.components.infer_schema.roles import infer_roles
from emrys.components.preprocess.without_tensorflow import without_tensorflow

with without_tensorflow():
    from merlin.schema import ColumnSchema, Schema

__all__ = ["ColumnOverride", "SchemaConfig", "run"]

STEP = "infer_schema"


def run(data: Path, workflow: Path, config: SchemaConfig, output: Path) -> FeatureSchema:
    """Writes the schema of the transformed data.

    Args:
        data: The transformed data.
        workflow: The fitted workflow that made it.
        config: What is set by hand.
        output: Where the `FeatureSchema` artifact shall stand.

    Returns:
        The artifact.

    Raises:
        EmrysError: if the data contradicts the workflow or the settings; nothing is then written.
    """
    with running(STEP):
        transformed, fitted = Transformed(data), FittedWorkflowArtifact(workflow)
        made_with = transformed.metadata.get("workflow", fitted.fingerprint)
        if made_with != fitted.fingerprint:
            raise ArtifactError(
                "the data was made by another workflow",
                path=transformed.path,
                expected=fitted.fingerprint[:12],
                got=made_with[:12],
                fix="Take both from the same run of the preprocess step.",
            )
        emit(STEP, "progress", done=0, total=2, text="looking over the transformed splits")
        facts = look_over(transformed, fitted.workflow)
        roles = _roles(transformed, fitted.workflow, config, facts)
        features = {column.name: column for column in fitted.workflow.output_columns}
        columns = [
            _column_schema(name, fact, features.get(name), roles[name], config.of(name))
            for name, fact in facts.items()
            if not config.of(name).drop
        ]
        if not columns:
            raise SchemaError("no column is left in the schema", fix="Drop fewer columns in the overrides.")
        about = {
            "roles": {column.name: roles[column.name] for column in columns},
            "data": transformed.fingerprint,
            "workflow": fitted.fingerprint,
        }
        emit(STEP, "progress", done=1, total=2, text="writing the schema")
        FeatureSchema.write(output, Schema(columns), about)
        emit(STEP, "progress", done=2, total=2, text=f"{len(columns)} columns")
        return FeatureSchema(output)


def _roles(
    data: Transformed, workflow: FittedWorkflow, config: SchemaConfig, facts: dict[str, ColumnFacts]
) -> dict[str, str]:
    for name in config.overrides:
        if name not in facts:
            hint = nearest(name, facts) or f"The columns are {', '.join(facts)}."
            raise ConfigError("an override names no column of the data", column=name, fix=hint)
    given = {name: role for name in facts if (role := config.of(name).role) is not None}
    roles = infer_roles(workflow, data.file("train"), given)
    for name in workflow.targets:
        is_binary = set(pc.unique(data.read("train", [name])[name]).to_pylist()) <= {0, 1}
        roles[name] = given.get(name, "binary_classification" if is_binary else "regression")
    return roles


def _column_schema(
    name: str, facts: ColumnFacts, column: OutputColumn | None, role: str, override: ColumnOverride
) -> ColumnSchema:
    """One column of the schema; `column` is None for a target."""
    kind = () if column is None else ("continuous" if column.cardinality is None else "categorical",)
    own = kind if override.tags is None else override.tags
    tags = [*own, *(ROLES[role] if override.tags is None or override.role else ())]
    properties: dict[str, Any] = {}
    domain = _domain(name, facts, column, override)
    if domain is not None:
        properties["domain"] = domain
    if facts.is_list:
        # Merlin takes equal ends for a fixed length, which other rows need not have.
        shortest = 0 if facts.shortest == facts.longest else facts.shortest
        properties["value_count"] = {"min": shortest, "max": facts.longest}
    try:
        return ColumnSchema(
            name,
            tags=sorted(tags),
            properties=properties,
            dtype=_dtype(name, facts, override),
            is_list=facts.is_list,
            is_ragged=facts.is_list,
        )
    except ValueError as error:  # tags that exclude each other
        raise SchemaError(f"the tags do not fit together ({error})", column=name, got=", ".join(tags)) from None


def _dtype(name: str, facts: ColumnFacts, override: ColumnOverride) -> str:
    if override.dtype is not None and override.dtype.rstrip("0123456789") != facts.dtype.rstrip("0123456789"):
        raise SchemaError("the dtype does not fit the data", column=name, expected=facts.dtype, got=override.dtype)
    return override.dtype or facts.dtype


def _domain(
    name: str, facts: ColumnFacts, column: OutputColumn | None, override: ColumnOverride
) -> dict[str, Any] | None:
    low, high = override.min, override.max
    if column is not None and column.cardinality is not None:
        low = 0 if low is None else low
        high = column.cardinality - 1 if high is None else high
    if low is None and high is None:
        return None
    low, high = (facts.low if low is None else low), (facts.high if high is None else high)
    if facts.low < low or facts.high > high:
        raise SchemaError(
            "the data lies outside of the domain",
            column=name,
            expected=f"{low} to {high}",
            got=f"{facts.low} to {facts.high}",
            fix="Widen min and max in the overrides.",
        )
    number = float if facts.dtype.startswith("float") else int
    # Columns of one domain share a table of embeddings.
    domain = column.domain if column is not None and column.domain else name
    return {"min": number(low), "max": number(high), "name": domain}
