"""Importing Merlin without the TensorFlow that it would bring along."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """Surrounds the first import of `merlin` or `nvtabular` in a process that needs no TensorFlow.

    Merlin imports TensorFlow and PyTorch when it finds them, for the mapping of dtypes alone: that takes seconds and
    claims half of a GPU's memory. Within this context TensorFlow is not found, which Merlin allows for. Where it has
    been imported already nothing is hidden.
    """
    hidden = "tensorflow" not in sys.modules
    if hidden:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the mappings of dtypes are missing
            yield
    finally:
        if hidden:
            del sys.modules["tensorflow"]
