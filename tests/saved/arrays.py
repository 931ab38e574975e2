"""Batches and outputs as flat arrays, for `.npz` files that are read without pickle.

The key of a tensor is the path to it, such as `outputs|scores`; a ragged one is kept as `<key>#values` and
`<key>#lengths`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def flatten(value: Any, key: str) -> dict[str, np.ndarray]:
    """Arrays by key of a tensor, a dictionary or a named tuple of them; None is ignored."""
    if value is None:
        return {}
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {inner: array for name, each in value.items() for inner, array in flatten(each, f"{key}|{name}").items()}
    if isinstance(value, tf.RaggedTensor):
        assert value.ragged_rank == 1
        return {f"{key}#values": value.flat_values.numpy(), f"{key}#lengths": value.row_lengths().numpy()}
    if isinstance(value, tf.SparseTensor):
        value = tf.sparse.to_dense(value)
    return {key: np.asarray(value)}


def restore(arrays: dict[str, np.ndarray], key: str) -> Any:
    """The tensor, or the dictionary of them, that `flatten` was given; None where nothing is kept under the key."""
    if key in arrays:
        return tf.constant(arrays[key])
    if f"{key}#values" in arrays:
        return tf.RaggedTensor.from_row_lengths(arrays[f"{key}#values"], arrays[f"{key}#lengths"])
    names = dict.fromkeys(
        each.removeprefix(f"{key}|").split("#")[0].split("|")[0] for each in arrays if each.startswith(f"{key}|")
    )
    return {name: restore(arrays, f"{key}|{name}") for name in names} or None


def select(arrays: dict[str, np.ndarray], key: str) -> dict[str, np.ndarray]:
    """The arrays of one value, by key."""
    return {name: array for name, array in arrays.items() if name.replace("#", "|").split("|")[0] == key}


def read(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def batches(arrays: dict[str, np.ndarray]) -> tf.data.Dataset:
    """The stored batch, with its targets where it has some, as a data set of one element."""
    inputs, targets = restore(arrays, "inputs"), restore(arrays, "targets")
    return tf.data.Dataset.from_tensors(inputs if targets is None else (inputs, targets))
