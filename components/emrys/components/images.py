"""The container images in which the steps run: one for each kind of work, named after the version of the project."""

from __future__ import annotations

from importlib import metadata

_VERSION = metadata.version("emrys")

#: Image of the steps that read and transform data: it has no TensorFlow.
PREPROCESS_IMAGE = f"emrys/preprocess:{_VERSION}"

#: Image of the steps that build, train and judge a model.
TRAIN_IMAGE = f"emrys/train:{_VERSION}"

#: Image with Triton: it serves, and runs the steps that need a server.
SERVE_IMAGE = f"emrys/serve:{_VERSION}"
