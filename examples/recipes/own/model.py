"""A model of one's own: any Keras model that takes a batch of features by name."""

from collections.abc import Mapping
from typing import Any

import keras
from merlin.schema import Schema, Tags

import emrys.blocks as mm


def build(schema: Schema, config: Mapping[str, Any]) -> keras.Model:
    """The wide and the deep way by hand, from the inputs of the schema."""
    features = schema.excluding_by_tag([Tags.TARGET])
    inputs = mm.InputBlockV2(features, categorical=mm.Embeddings(features.select_by_tag(Tags.CATEGORICAL), dim=8))
    return mm.Model(
        inputs, mm.MLPBlock([32, 16]), mm.BinaryOutput(schema.select_by_tag(Tags.BINARY_CLASSIFICATION).first)
    )
