"""Transparent huge pages (2 MiB) for large variables, on Linux."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

#: From linux/mman.h: use huge pages from now on; and convert what is already there at once (Linux 6.1 and later).
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25


def prefer_huge_pages_for_training(model: keras.Model) -> None:
    """Asks for huge pages for the weights of a model and for the state of its optimizer.

    Call it before the first training step. The optimizer is built first, so that its slots exist.

    Args:
        model: A built and compiled model.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_weights)
    for variable in [*model.variables, *model.optimizer.variables]:
        prefer_huge_pages(variable)


def prefer_huge_pages(variable: keras.Variable | tf.Variable) -> None:
    """Asks Linux to keep a large variable in pages of 2 MiB.

    Rows that are looked up at random come from main memory, and the processor finds each of them through the page
    table. Its TLB covers a large variable only if the pages are large. NumPy asks for the same for its arrays.

    Nothing happens for a variable smaller than a page or on another device, on another operating system, or where the
    kernel has no huge pages to give.

    Args:
        variable: The variable, before the first lookup in it: after that, TensorFlow only hands out copies of its
            memory. A variable without a value, as during symbolic shape inference, is ignored.
    """
    resource = variable.value if isinstance(variable, keras.Variable) else variable
    size = huge_page_size()
    if not size or not isinstance(resource, tf.Variable) or not tf.executing_eagerly() or tf.distribute.has_strategy():
        return
    value = resource.read_value()
    if "CPU" not in value.backing_device:
        return
    memory = np.asarray(value)  # not a copy, but the memory of the variable itself
    start = -(-memory.ctypes.data // size) * size
    length = (memory.ctypes.data + memory.nbytes) // size * size - start
    if length <= 0:
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for advice in (_MADV_HUGEPAGE, _MADV_COLLAPSE):
        advise(start, length, advice)  # the result does not matter: this is advice


@cache
def huge_page_size(settings: Path = Path("/sys/kernel/mm/transparent_hugepage")) -> int:
    """Size of a huge page in bytes; 0 where the system has none or does not allow them.

    Args:
        settings: Folder of the kernel's settings for transparent huge pages.
    """
    if not sys.platform.startswith("linux"):
        return 0
    try:
        enabled = (settings / "enabled").read_text()
        return 0 if "[never]" in enabled else int((settings / "hpage_pmd_size").read_text())
    except OSError:
        return 0
