"""Blocks of recommender models, on Keras 3 and TensorFlow: `import emrys.blocks as mm`.

Shapes in the documentation are written with these letters:

    B  batch size                  D  embedding dimension
    L  length of a list            K  number of results of a top-k
    F  number of features          N  number of candidates

A batch is `(features, targets)`, two dictionaries by column name. A scalar feature is a dense tensor (B, 1); a list
feature is a `tf.RaggedTensor` (B, None), or dense (B, L) where all its lists have one length. Targets are (B, 1).

The public names are listed, by family, in `emrys/blocks/api.py`; the first use of one imports them all, and TensorFlow
with them. The modules that need no TensorFlow (`errors`, `io`, `workflow`, `datasets`) are imported by their own path
and start at once: a pod that only transforms data does not pay for a framework that it does not use.
"""

from __future__ import annotations

import importlib
import os
import warnings
from typing import TYPE_CHECKING, Any

# merlin-core and NVTabular 23.8 are written for dask's first data frames, with strings as Python objects. Dask reads
# these when it is imported; blocks/dask.yaml says the same to programs that import it before this package.
os.environ.setdefault("DASK_DATAFRAME__QUERY_PLANNING", "False")
os.environ.setdefault("DASK_DATAFRAME__CONVERT_STRING", "False")
warnings.filterwarnings("ignore", "The legacy Dask DataFrame implementation is deprecated", FutureWarning)

if TYPE_CHECKING:
    from emrys.blocks.api import *  # noqa: F403


_KERAS_OWN = ("Layer", "Loss", "Metric", "Optimizer")
#: Names of Merlin Models that do not exist here, with what to use instead.
_REMOVED = {
    "XLNetBlock": "use GPT2Block with SequencePredictNext, or BertBlock with SequenceMaskRandom",
    **{name: f"use Keras' own {name}" for name in _KERAS_OWN},
}


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'emrys.blocks' has no attribute {name!r}")
    api = importlib.import_module("emrys.blocks.api")
    globals().update({public: getattr(api, public) for public in api.__all__})
    if name in globals():  # a public name, or a folder such as `losses`, which that import has loaded
        return globals()[name]
    hint = f": {_REMOVED[name]}; see docs/coming-from-merlin-models.md" if name in _REMOVED else ""
    raise AttributeError(f"module 'emrys.blocks' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted(importlib.import_module("emrys.blocks.api").__all__)
