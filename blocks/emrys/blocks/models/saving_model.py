"""A model of blocks as a file, for training on and for serving."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.errors import ConfigError
from emrys.blocks.io import atomic_directory, atomic_file
from emrys.blocks.models.base_model import BaseModel
from emrys.blocks.models.export import save_serving
from emrys.blocks.retrieval.candidate_holder import CandidateHolder

#: What a model that is saved as a folder is called there.
_FILE = "model.keras"


class SavingModel(BaseModel):
    """How a `Model` is written and read."""

    def _chain(self) -> list[keras.layers.Layer]:
        """The blocks, from the first to the last."""
        raise NotImplementedError

    def save(
        self,
        export_path: str | os.PathLike[str],
        include_optimizer: bool = True,
        overwrite: bool = True,
        zipped: bool | None = None,
    ) -> None:
        """Writes the model, to be read by `load`.

        Args:
            export_path: A file that ends with `.keras`, or a folder, which then holds one.
            include_optimizer: Whether what `compile` said, and the optimizer's state, is written too, so that training
                can go on. Default: True.
            overwrite: Whether what is there is replaced. Default: True.
            zipped: Whether the file is an archive. Default: True.

        Raises:
            ConfigError: if something is there already that must not be overwritten.
        """
        path = Path(export_path)
        if not overwrite and path.exists():
            raise ConfigError("save: something is there already", path=path, fix="Give another path.")
        model = self if include_optimizer else self._uncompiled()
        if path.suffix != ".keras":
            with atomic_directory(path) as folder:
                keras.Model.save(model, folder / _FILE, zipped=zipped)
        elif zipped is False:
            keras.Model.save(model, path, zipped=False)
        else:
            with atomic_file(path) as file:
                keras.Model.save(model, file)

    def _uncompiled(self) -> Self:
        """The same model with the same weights, which was never compiled."""
        model = type(self).from_config(self.get_config())
        if self.built:
            model.build_from_config(self.get_build_config())
            model.set_weights(self.get_weights())
        for here, there in zip(layers_inside(self._chain()), layers_inside(model._chain()), strict=True):
            if isinstance(here, CandidateHolder):  # which are no weights
                there.take_candidates(here)
        return model

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "tf_saved_model",
        verbose: Any = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Writes a SavedModel for serving, see `save_serving`; other formats and signatures are those of Keras.

        Args:
            filepath: Folder to write.
            format: `"tf_saved_model"`, or another format of Keras.
            verbose: Whether Keras prints what it writes.
            input_signature: The tensors to take. Default: the columns of the schema by name.
            **kwargs: The other arguments of `keras.Model.export`.
        """
        if format == "tf_saved_model" and input_signature is None and not kwargs:
            save_serving(self, filepath)
        else:
            super().export(filepath, format=format, verbose=verbose, input_signature=input_signature, **kwargs)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Loads a model that `save` wrote.

        Args:
            path: A `.keras` file, or a folder with one.

        Returns:
            The model, compiled as it was, with its optimizer's state.

        Raises:
            ConfigError: if the file holds another kind of model.
        """
        file = Path(path, _FILE) if Path(path, _FILE).exists() else Path(path)
        model = keras.saving.load_model(file)
        if not isinstance(model, cls):
            raise ConfigError(
                "the file holds another model", path=path, expected=cls.__name__, got=type(model).__name__
            )
        return model
