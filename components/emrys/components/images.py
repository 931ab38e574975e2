"""Names of the container images in which the steps run; the tag is the version of the project."""

from __future__ import annotations

from importlib import metadata

_VERSION = metadata.version("emrys")

#: Image of the steps that read and transform data, without TensorFlow.
PREPROCESS_IMAGE = f"emrys/preprocess:{_VERSION}"

#: Image of the steps that build, train and evaluate a model.
TRAIN_IMAGE = f"emrys/train:{_VERSION}"

#: Image with Triton, for serving and for the steps that need a server.
SERVE_IMAGE = f"emrys/serve:{_VERSION}"
