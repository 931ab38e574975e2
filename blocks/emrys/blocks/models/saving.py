"""Saving and loading of models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.errors import ConfigError
from emrys.blocks.io import atomic_directory, atomic_file
from emrys.blocks.retrieval.top_k_layer import CandidateHolder

if TYPE_CHECKING:
    from emrys.blocks.models.model import Model

Loaded = TypeVar("Loaded", bound=keras.Model)

#: Name of the model's file in a folder.
_FILE = "model.keras"


def save_model(
    model: Model,
    export_path: str | os.PathLike[str],
    include_optimizer: bool = True,
    overwrite: bool = True,
    zipped: bool | None = None,
) -> None:
    """Writes a model; see `Model.save`."""
    path = Path(export_path)
    if not overwrite and path.exists():
        raise ConfigError("save: something is there already", path=path, fix="Give another path.")
    written = model if include_optimizer else uncompiled_copy(model)
    if path.suffix != ".keras":
        with atomic_directory(path) as folder:
            keras.Model.save(written, folder / _FILE, zipped=zipped)
    elif zipped is False:
        keras.Model.save(written, path, zipped=False)
    else:
        with atomic_file(path) as file:
            keras.Model.save(written, file)


def load_model(model_class: type[Loaded], path: str | os.PathLike[str]) -> Loaded:
    """Loads a model that `save_model` wrote; see `Model.load`."""
    file = Path(path, _FILE) if Path(path, _FILE).exists() else Path(path)
    model = keras.saving.load_model(file)
    if not isinstance(model, model_class):
        raise ConfigError(
            "the file holds another model", path=path, expected=model_class.__name__, got=type(model).__name__
        )
    return model


def uncompiled_copy(model: Model) -> Model:
    """Returns a copy of a model with the same weights, without optimizer, loss and metrics."""
    copy = type(model).from_config(model.get_config())
    if model.built:
        copy.build_from_config(model.get_build_config())
        copy.set_weights(model.get_weights())
    for source, target in zip(layers_inside([model]), layers_inside([copy]), strict=True):
        if isinstance(source, CandidateHolder):  # candidates are not weights
            target.take_candidates(source)
    return copy
