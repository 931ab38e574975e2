"""The feature columns of a ranking model."""

from __future__ import annotations

from merlin.schema import Schema, Tags

from emrys.blocks.errors import SchemaError
from emrys.blocks.schema.functions import select_targets


def ranking_features(schema: Schema, owner: str) -> Schema:
    """Returns the feature columns of a ranking model: all columns of `schema` but the targets.

    Args:
        schema: Features and targets.
        owner: Name of the model, for errors.

    Raises:
        SchemaError: if none of them is categorical.
    """
    features = schema.excluding_by_name(select_targets(schema).column_names)
    if len(features.select_by_tag(Tags.CATEGORICAL)) == 0:
        raise SchemaError(
            f"{owner} has nothing to embed",
            expected="columns tagged CATEGORICAL",
            got=", ".join(features.column_names) or "no columns but targets",
        )
    return features
