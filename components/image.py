"""The container image in which the steps run: one for all of them, named after the version of the project."""

from __future__ import annotations

from importlib import metadata

#: Image that a compiled pipeline asks for unless its configuration names another one.
STEP_IMAGE = f"emrys/step:{metadata.version('emrys')}"
