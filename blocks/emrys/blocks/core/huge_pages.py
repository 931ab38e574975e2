"""Large variables in large pages of memory."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

#: Of linux/mman.h: pages as large as can be from now on; and at once, for what is there already (from Linux 6.1).
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25


def prefer_huge_pages(variable: Any) -> None:
    """Asks Linux to keep a large variable in pages of 2 MiB; elsewhere, and on other devices, nothing happens.

    Rows that are read here and there come from main memory, and where each of them is the processor finds in tables of
    pages. Its caches hold those of large variables only if the pages are large. NumPy asks for the same.

    A kernel that has no such pages left, or is told to give none (`never`), leaves the variable as it is.

    Args:
        variable: Variable of Keras or TensorFlow in which nothing was looked up yet: from then on TensorFlow gives
            copies of its memory only. One without a value, as while shapes are computed, is left alone.
    """
    held = variable.value if isinstance(variable, keras.Variable) else variable
    size = huge_page_size()
    if not size or not isinstance(held, tf.Variable) or not tf.executing_eagerly() or tf.distribute.has_strategy():
        return
    value = held.read_value()
    if "CPU" not in value.backing_device:
        return
    memory = np.asarray(value)  # no copy: that of the variable itself
    start = -(-memory.ctypes.data // size) * size
    length = (memory.ctypes.data + memory.nbytes) // size * size - start
    if length <= 0:
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for advice in (_MADV_HUGEPAGE, _MADV_COLLAPSE):
        advise(start, length, advice)  # whatever comes of it: it is advice


@cache
def huge_page_size(settings: Path = Path("/sys/kernel/mm/transparent_hugepage")) -> int:
    """Bytes of a large page; 0 where the system has none, or is told to give none.

    Args:
        settings: Folder in which Linux shows what it is told.
    """
    if not sys.platform.startswith("linux"):
        return 0
    try:
        wanted = (settings / "enabled").read_text()
        return 0 if "[never]" in wanted else int((settings / "hpage_pmd_size").read_text())
    except OSError:
        return 0
