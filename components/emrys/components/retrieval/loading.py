"""Loads a retrieval model."""

from __future__ import annotations

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError
from emrys.components.artifacts.model import ModelArtifact


def retrieval_model(network: ModelArtifact) -> mm.RetrievalModelV2:
    """The model of an artifact, compiled as it was.

    Raises:
        ArtifactError: if Keras cannot read it, or it does not find items.
    """
    model = network.load()
    if not isinstance(model, mm.RetrievalModelV2):
        raise ArtifactError(
            "the model does not find items", path=network.path, expected="a retrieval model", got=type(model).__name__
        )
    return model
