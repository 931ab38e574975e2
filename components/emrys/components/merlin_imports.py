"""Imports of Merlin and NVTabular without TensorFlow."""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType


def import_without_tensorflow(module: str) -> ModuleType:
    """Imports a module of Merlin or NVTabular without importing TensorFlow.

    Merlin imports TensorFlow if it is installed, only to map dtypes. That takes seconds, and limits TensorFlow to half
    of the memory of a GPU. Merlin works without it, so that this function hides TensorFlow during the import, unless it
    was imported before.

    Args:
        module: Name of the module, such as `nvtabular.ops`.
    """
    hide = "tensorflow" not in sys.modules
    if hide:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the missing mappings of dtypes
            return importlib.import_module(module)
    finally:
        if hide:
            del sys.modules["tensorflow"]
