"""Infers the Merlin schema of the transformed data from the data and its workflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emrys.blocks.errors import ArtifactError, ConfigError, SchemaError
from emrys.blocks.workflow import FittedWorkflow, OutputColumn
from emrys.blocks.workflow.request import nearest
from emrys.components.contracts.data_schema import DataSchema
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.events import emit, step_events
from emrys.components.infer_schema.column_facts import ColumnFacts, read_column_facts
from emrys.components.infer_schema.config import ROLES, ColumnOverride, SchemaConfig
from emrys.components.infer_schema.roles import column_roles
from emrys.components.merlin_imports import import_without_tensorflow

if TYPE_CHECKING:
    from merlin.schema import ColumnSchema

schemas = import_without_tensorflow("merlin.schema")

__all__ = ["ColumnOverride", "SchemaConfig", "run"]

STEP = "infer_schema"


def run(data: Path, workflow: Path, config: SchemaConfig, output: Path) -> FeatureSchema:
    """Writes the schema of the transformed data: features and targets. The weight of the rows is no part of it.

    Args:
        data: The transformed data.
        workflow: The fitted workflow of the transformation.
        config: Settings.
        output: Folder of the `FeatureSchema` artifact.

    Returns:
        The artifact.

    Raises:
        EmrysError: if the data contradicts the workflow or the settings; nothing is written then.
    """
    with step_events(STEP):
        transformed, fitted = Transformed(data), FittedWorkflowArtifact(workflow)
        data_workflow = transformed.metadata.get("workflow", fitted.fingerprint)
        if data_workflow != fitted.fingerprint:
            raise ArtifactError(
                "the data was transformed by another workflow",
                path=transformed.path,
                expected=fitted.fingerprint[:12],
                got=data_workflow[:12],
                fix="Take both from the same run of the preprocess step.",
            )
        emit(STEP, "progress", done=0, total=2, text="reading the transformed splits")
        facts = read_column_facts(transformed, fitted.workflow)
        schema = transformed.data_schema
        roles = _roles(schema, fitted.workflow, config, facts)
        classes = {target.name: len(target.classes) for target in schema.targets if target.classes}
        features = {column.name: column for column in fitted.workflow.output_columns}
        columns = [
            _column_schema(name, fact, features.get(name), roles[name], config.of(name), classes.get(name))
            for name, fact in facts.items()
            if name in roles and not config.of(name).drop
        ]
        if not columns:
            raise SchemaError("the schema has no columns", fix="Drop fewer columns in the overrides.")
        metadata = {
            "roles": {column.name: roles[column.name] for column in columns},
            "data": transformed.fingerprint,
            "workflow": fitted.fingerprint,
        }
        emit(STEP, "progress", done=1, total=2, text="writing the schema")
        FeatureSchema.write(output, schemas.Schema(columns), metadata, schema)
        emit(STEP, "progress", done=2, total=2, text=f"{len(columns)} columns")
        return FeatureSchema(output)


def _roles(
    schema: DataSchema, workflow: FittedWorkflow, config: SchemaConfig, facts: dict[str, ColumnFacts]
) -> dict[str, str]:
    for name in config.overrides:
        if name not in facts:
            hint = nearest(name, facts) or f"The columns are {', '.join(facts)}."
            raise ConfigError("there is no such column to override", column=name, fix=hint)
    configured = {name: role for name in facts if (role := config.of(name).role) is not None}
    return column_roles(workflow, schema, configured)


def _kind(column: OutputColumn) -> str:
    """Tag of a feature: ids are categorical, vectors of one length embeddings, other numbers continuous."""
    if column.cardinality is not None:
        return "categorical"
    return "embedding" if column.length is not None else "continuous"


def _column_schema(
    name: str,
    facts: ColumnFacts,
    column: OutputColumn | None,
    role: str,
    override: ColumnOverride,
    classes: int | None,
) -> ColumnSchema:
    """One column of the schema; `column` is None for a target, `classes` the number of those of a target."""
    kind = () if column is None else (_kind(column),)
    own = kind if override.tags is None else override.tags
    tags = [*own, *(ROLES[role] if override.tags is None or override.role else ())]
    properties: dict[str, Any] = {}
    domain = _domain(name, facts, column, override, classes if column is None else column.cardinality)
    if domain is not None:
        properties["domain"] = domain
    length = None if column is None else column.length
    if length is not None:
        properties["value_count"] = {"min": length, "max": length}
    elif facts.is_list:
        # Merlin treats equal bounds as a fixed length, which later rows may not have.
        shortest = 0 if facts.shortest == facts.longest else facts.shortest
        properties["value_count"] = {"min": shortest, "max": facts.longest}
    try:
        return schemas.ColumnSchema(
            name,
            tags=sorted(tags),
            properties=properties,
            dtype=_dtype(name, facts, override),
            is_list=facts.is_list,
            is_ragged=facts.is_list and length is None,
        )
    except ValueError as error:  # contradictory tags
        raise SchemaError(f"the tags contradict each other ({error})", column=name, got=", ".join(tags)) from None


def _dtype(name: str, facts: ColumnFacts, override: ColumnOverride) -> str:
    if override.dtype is not None and override.dtype.rstrip("0123456789") != facts.dtype.rstrip("0123456789"):
        raise SchemaError("the dtype does not fit the data", column=name, expected=facts.dtype, got=override.dtype)
    return override.dtype or facts.dtype


def _domain(
    name: str, facts: ColumnFacts, column: OutputColumn | None, override: ColumnOverride, numbers: int | None
) -> dict[str, Any] | None:
    """Domain of a column, of so many ids or classes if it has them."""
    low, high = override.min, override.max
    if numbers is not None:
        low = 0 if low is None else low
        high = numbers - 1 if high is None else high
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
