"""Check of a whole recipe against the first rows of its log: all faults at once, before any step runs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence

import pyarrow as pa

from emrys.components.contracts.data_schema import DataSchema
from emrys.components.recipe.evaluation import check_evaluation
from emrys.components.recipe.faults import Fault, RecipeError
from emrys.components.recipe.models import check_model
from emrys.components.recipe.operators import check_features
from emrys.components.recipe.reading import Draft
from emrys.components.recipe.recipe import Recipe
from emrys.components.recipe.resolve import resolve


@dataclasses.dataclass(frozen=True)
class Checked:
    """A recipe that was checked.

    Args:
        recipe: The recipe, without the parts that cannot be read.
        schema: The data schema; of a recipe with faults, as far as it is known.
        faults: All faults.
        notes: What is no fault, and yet worth knowing.
    """

    recipe: Recipe
    schema: DataSchema
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]

    def raise_faults(self, path: str | os.PathLike[str] | None = None) -> None:
        """Raises all faults as one error.

        Args:
            path: File of the recipe.

        Raises:
            RecipeError: if there are faults.
        """
        if self.faults:
            raise RecipeError(self.faults, path)


def check_draft(
    draft: Draft, head: pa.Table, tables: Mapping[str, Sequence[str]] | None = None, *, whole: bool = False
) -> Checked:
    """Checks a recipe against the first rows of its log.

    Args:
        draft: The recipe as far as it can be read.
        head: The first rows, with the columns of the side tables.
        tables: Columns that come from each side table. Default: none.
        whole: Whether these are all rows.
    """
    recipe = draft.recipe
    resolved = resolve(recipe, head, tables, whole=whole)
    found = [
        *resolved.faults,
        *check_features(recipe, resolved.schema),
        *check_model(recipe, resolved.schema),
        *check_evaluation(recipe, resolved.schema),
    ]
    faults = [*draft.faults, *(fault for fault in found if not draft.concerns(fault.key))]
    return Checked(recipe, resolved.schema, tuple(dict.fromkeys(faults)), resolved.notes)
