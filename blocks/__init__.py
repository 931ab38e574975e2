"""Blocks of recommender models, on Keras 3 and TensorFlow: `import blocks as mm`.

Shapes in the documentation are written with these letters:

    B  batch size                  D  embedding dimension
    L  length of a list            K  number of results of a top-k
    F  number of features          N  number of candidates

A batch is `(features, targets)`, two dictionaries by column name. A scalar feature is a dense tensor (B, 1); a list
feature is a `tf.RaggedTensor` (B, None), or dense (B, L) where all its lists have one length. Targets are (B, 1).

The public names are listed, by family, in `blocks/api.py`; the first use of one imports them all, and TensorFlow with
them. What needs no TensorFlow (`blocks.errors`, `blocks.io`, `blocks.workflow`, `blocks.datasets`) is imported by its
own path and starts at once: a pod that only transforms data does not pay for a framework that it does not use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blocks.api import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'blocks' has no attribute {name!r}")
    api = importlib.import_module("blocks.api")
    if name in api.__all__:
        return getattr(api, name)
    if name in globals():  # a folder such as `losses`, which that import has loaded
        return globals()[name]
    raise AttributeError(f"module 'blocks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(importlib.import_module("blocks.api").__all__)
