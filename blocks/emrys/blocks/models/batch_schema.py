"""Holding a batch against the schema that a model was given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from merlin.schema import Schema

from emrys.blocks.errors import SchemaError
from emrys.blocks.outputs.model_output import ModelOutput
from emrys.blocks.schema.functions import select_targets


class BatchSchema:
    """The columns that batches have to have.

    Args:
        owner: Name of the model.
        schema: All columns, targets included.
        outputs: The model's outputs.

    Raises:
        SchemaError: if the schema has targets, and an output's is not among its columns.
    """

    def __init__(self, owner: str, schema: Schema, outputs: Iterable[ModelOutput]) -> None:
        self._owner = owner
        outputs = list(outputs)
        own = {output.target for output in outputs}
        targets = {*select_targets(schema).column_names, *(own - {None})}
        self._known = set(schema.column_names)
        #: A column that is also a target may be left out: an earlier item, say, is what the next one is told from.
        self._needed = [name for name in schema.column_names if name not in targets]
        for output in outputs:
            if output.target is not None and output.target not in self._known and len(select_targets(schema)):
                raise SchemaError(
                    f"{owner}: the target of {output.task_name} is not in the schema",
                    column=output.target,
                    expected=f"one of {', '.join(schema.column_names)}",
                    fix="Name the right target, or add the column to the schema.",
                )

    def check(self, features: Any) -> None:
        """Checks the names of a batch's features.

        Raises:
            SchemaError: if a column of the schema is missing, or one is there that the schema does not have.
        """
        if not isinstance(features, dict):
            return
        for name in self._needed:
            if name not in features:
                raise SchemaError(
                    f"{self._owner}: the batch lacks a column of the schema",
                    column=name,
                    expected=", ".join(self._needed),
                    got=", ".join(features) or "none",
                )
        for name in features:
            if name not in self._known:
                raise SchemaError(
                    f"{self._owner}: the batch has a feature that is not in the schema",
                    column=name,
                    expected=f"some of {', '.join(sorted(self._known))}",
                    fix="Leave it out, or add it to the schema of the model.",
                )
