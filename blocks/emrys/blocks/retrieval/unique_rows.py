"""Distinct users or items of a log of interactions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from merlin.schema import Tags

from emrys.blocks.errors import SchemaError

if TYPE_CHECKING:
    from merlin.io import Dataset


def unique_by_tag(dataset: Dataset, features_tag: str | Tags, grouping_tag: str | Tags = Tags.ID) -> Dataset:
    """Selects the columns with a tag, and the first row of each id.

    Args:
        dataset: Data set with a schema.
        features_tag: Tag of the columns to select, such as `Tags.ITEM`.
        grouping_tag: Tag of the id column among them, such as `Tags.ITEM_ID`. Default: `Tags.ID`.

    Returns:
        A data set of these columns; the whole data set if no column has the tag.

    Raises:
        SchemaError: if not exactly one of the columns has the grouping tag.
    """
    from merlin.io import Dataset as MerlinDataset  # imports Dask, which is optional

    columns = dataset.schema.select_by_tag(features_tag)
    rows = dataset.to_ddf()
    if len(columns) == 0:
        return MerlinDataset(rows, schema=dataset.schema)
    ids = columns.select_by_tag(grouping_tag).column_names
    if len(ids) != 1:
        raise SchemaError(
            f"the columns tagged {features_tag} must contain one tagged {grouping_tag}",
            expected="exactly one column",
            got=", ".join(ids) or "none",
        )
    return MerlinDataset(rows[columns.column_names].drop_duplicates(ids[0], keep="first"), schema=columns)


def unique_rows_by_features(dataset: Dataset, features_tag: str | Tags, grouping_tag: str | Tags = Tags.ID) -> Dataset:
    """Former name of `unique_by_tag`, with the same arguments. Deprecated.

    Args:
        dataset: See `unique_by_tag`.
        features_tag: See `unique_by_tag`.
        grouping_tag: See `unique_by_tag`. Default: `Tags.ID`.
    """
    warnings.warn("unique_rows_by_features is deprecated: use unique_by_tag instead.", DeprecationWarning, stacklevel=2)
    return unique_by_tag(dataset, features_tag, grouping_tag)
