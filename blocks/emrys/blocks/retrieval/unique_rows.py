"""One row for each user or item of a log."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from merlin.schema import Tags

from emrys.blocks.errors import SchemaError

if TYPE_CHECKING:
    from merlin.io import Dataset


def unique_by_tag(dataset: Dataset, features_tag: str | Tags, grouping_tag: str | Tags = Tags.ID) -> Dataset:
    """Takes the columns of a tag, and of the rows with the same id the first.

    Args:
        dataset: Data set with a schema.
        features_tag: Tag of the columns to take, such as `Tags.ITEM`.
        grouping_tag: Tag of the one among them whose values are to be unique, such as `Tags.ITEM_ID`. Default:
            `Tags.ID`.

    Returns:
        A data set of these columns; all of them, and all rows, if no column has the tag.

    Raises:
        SchemaError: if not one of the columns has the grouping tag.
    """
    from merlin.io import Dataset as MerlinDataset  # starts Dask, which is not everybody's

    columns = dataset.schema.select_by_tag(features_tag)
    rows = dataset.to_ddf()
    if len(columns) == 0:
        return MerlinDataset(rows, schema=dataset.schema)
    ids = columns.select_by_tag(grouping_tag).column_names
    if len(ids) != 1:
        raise SchemaError(
            f"no one column among those tagged {features_tag} is tagged {grouping_tag}",
            expected="one",
            got=", ".join(ids) or "none",
        )
    return MerlinDataset(rows[columns.column_names].drop_duplicates(ids[0], keep="first"), schema=columns)


def unique_rows_by_features(dataset: Dataset, features_tag: str | Tags, grouping_tag: str | Tags = Tags.ID) -> Dataset:
    """The former name of `unique_by_tag`, with the same arguments.

    Args:
        dataset: See `unique_by_tag`.
        features_tag: See `unique_by_tag`.
        grouping_tag: See `unique_by_tag`. Default: `Tags.ID`.
    """
    warnings.warn("unique_rows_by_features is now unique_by_tag", DeprecationWarning, stacklevel=2)
    return unique_by_tag(dataset, features_tag, grouping_tag)
