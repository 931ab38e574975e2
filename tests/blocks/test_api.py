"""The public list: complete, documented, loadable."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import keras
import pytest

from emrys import blocks


@pytest.mark.parametrize("name", blocks.api.__all__)
def test_every_name_is_documented(name):
    thing = getattr(blocks, name)
    documented = thing if inspect.isclass(thing) or inspect.isfunction(thing) else type(thing)
    assert inspect.getdoc(documented), f"{name} has no documentation"


@pytest.mark.slow
def test_every_serialisable_class_is_loaded_with_the_api():
    # A class that the list does not import is unknown to Keras when a saved model comes back in a fresh process.
    registered = """
import keras
import emrys.blocks as mm
mm.Model
print(*sorted(name for name in keras.saving.get_custom_objects() if name.startswith("emrys>")))
"""
    done = subprocess.run([sys.executable, "-c", registered], check=True, capture_output=True, text=True)
    for module in pkgutil.walk_packages(blocks.__path__, "emrys.blocks."):
        importlib.import_module(module.name)
    # Other tests of this process may have imported classes of the steps.
    everything = [
        name
        for name, each in keras.saving.get_custom_objects().items()
        if name.startswith("emrys>") and each.__module__.startswith("emrys.blocks")
    ]
    assert sorted(everything) == done.stdout.split()


@pytest.mark.slow
def test_importing_blocks_does_not_import_tensorflow():
    light = ["emrys.blocks.errors", "emrys.blocks.io", "emrys.blocks.workflow", "emrys.blocks.datasets"]
    script = f"import sys\nfor name in {light}: __import__(name)\nprint(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert {"tensorflow", "keras", "kfp", "nvtabular", "tritonclient"}.isdisjoint(modules)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match=r"module 'emrys\.blocks' has no attribute 'MLPBlok'"):
        _ = blocks.MLPBlok


def test_dir_lists_the_api():
    assert dir(blocks) == sorted(blocks.api.__all__)
