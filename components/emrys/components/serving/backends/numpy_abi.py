"""Lets the Python backend of Triton 2.51, which is compiled against NumPy 1, exchange arrays with NumPy 2.

The process of the backend uses a version of pybind11 before 2.12. It reads the size of an element at the offset where
NumPy 2 stores the flags of a dtype, which are 0 for numbers and bytes. Two things go wrong:

- Inputs: it requests arrays whose strides are 0, so every element would be a copy of the first. It takes NumPy's
  functions from the table `numpy.core.multiarray._ARRAY_API`; `repair_input_arrays` replaces the table by a copy whose
  `PyArray_NewFromDescr` derives the strides from the shape (the memory of a Triton tensor is contiguous).
- Outputs: their size is read as 0. `number_tensor` passes numbers by DLPack, which does not depend on NumPy's layout;
  `string_tensor` writes the size to the offset at which pybind11 reads it.

A newer backend takes the table from `numpy._core` and the size from its new offset, and is not affected.

Inputs are also protected from shapes that no memory holds. The server multiplies a shape in 64 bits, so that (4, 2**62)
passes for no elements at all; the array cannot be created, and the error would end the process. Such an input arrives
as an array of shape (0, 0, 0), which the checks of the model refuse.
"""

from __future__ import annotations

import ctypes
import math
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

_NEW_FROM_DESCR = 94  #: Index of `PyArray_NewFromDescr` in the table, the same since NumPy 1.0.
_TABLE_SIZE = 300  #: The last function that pybind11 uses is number 282; NumPy 2.0 has more than 360.
_MOST_ELEMENTS = 2**48  #: No memory holds more.
_OLD_SIZE_OFFSET = 32  #: Bytes into a dtype: its size in NumPy 1, its flags in NumPy 2.

_Sizes = ctypes.POINTER(ctypes.c_ssize_t)
_Signature = ctypes.PYFUNCTYPE(
    ctypes.c_void_p,  # the array, a new reference
    ctypes.c_void_p,  # subtype
    ctypes.c_void_p,  # dtype, whose reference is taken over
    ctypes.c_int,  # number of dimensions
    _Sizes,  # shape
    _Sizes,  # strides
    ctypes.c_void_p,  # memory
    ctypes.c_int,  # flags
    ctypes.c_void_p,  # object
)

#: Shape of an input whose claimed shape is impossible; no model has an input with three axes.
_IMPOSSIBLE_SHAPE = (0, 0, 0)

#: Objects that the table points to; they must live as long as the process.
_kept_alive: list[object] = []


def repair_input_arrays() -> None:
    """Replaces the table that the backend's pybind11 reads at its first array; does nothing with NumPy 1."""
    if int(np.__version__.split(".")[0]) < 2 or _kept_alive:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the old name of the module is intended
        import numpy.core.multiarray as old_name
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.restype = ctypes.py_object
    new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

    impossible = (ctypes.c_ssize_t * len(_IMPOSSIBLE_SHAPE))(*_IMPOSSIBLE_SHAPE)
    table = (ctypes.c_void_p * _TABLE_SIZE)()
    ctypes.memmove(table, get_pointer(old_name._ARRAY_API, None), ctypes.sizeof(table))
    original = _Signature(table[_NEW_FROM_DESCR] or 0)

    def new_from_descr(subtype, dtype, dimensions, shape, strides, memory, flags, owner):  # type: ignore[no-untyped-def]
        if dimensions and math.prod(shape[:dimensions]) > _MOST_ELEMENTS:
            dimensions, shape, strides = len(impossible), impossible, None
        if strides and dimensions and not any(strides[index] for index in range(dimensions)):
            strides = None  # NumPy derives those of a contiguous array
        return original(subtype, dtype, dimensions, shape, strides, memory, flags, owner)

    replacement = _Signature(new_from_descr)
    table[_NEW_FROM_DESCR] = ctypes.cast(replacement, ctypes.c_void_p).value
    _kept_alive.extend([table, replacement])
    old_name._ARRAY_API = new_capsule(ctypes.addressof(table), None, None)


class StringElements:
    """Strings of an input, until the backend gives them their shape.

    Args:
        strings: The strings in a row, (N,).
    """

    def __init__(self, strings: npt.NDArray[Any]) -> None:
        self._strings = strings

    def reshape(self, *shape: Any) -> npt.NDArray[Any]:
        """Reshapes the strings as NumPy does; of shape (0, 0, 0) if their number does not fit."""
        try:
            return self._strings.reshape(*shape)
        except ValueError:
            return np.empty(_IMPOSSIBLE_SHAPE, dtype=object)


def repair_input_strings(pb_utils: ModuleType) -> None:
    """Replaces the function from which the backend takes the strings of an input."""
    deserialize = pb_utils.deserialize_bytes_tensor
    pb_utils.deserialize_bytes_tensor = lambda encoded: StringElements(deserialize(encoded))  # type: ignore[attr-defined]


def number_tensor(pb_utils: ModuleType, name: str, values: npt.NDArray[Any]) -> Any:
    """Creates a `pb_utils.Tensor` of numbers.

    The backend renames a consumed capsule to "used_dlpack" and calls the tensor's deleter itself. NumPy expects
    "used_dltensor" and would log an error for every tensor when the capsule is freed, so its destructor is removed.
    """
    capsule = np.require(values, requirements=["C", "W"]).__dlpack__()
    set_destructor = ctypes.pythonapi.PyCapsule_SetDestructor
    set_destructor.restype, set_destructor.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_void_p]
    set_destructor(capsule, None)
    return pb_utils.Tensor.from_dlpack(name, capsule)


def string_tensor(pb_utils: ModuleType, name: str, values: npt.NDArray[Any]) -> Any:
    """Creates a `pb_utils.Tensor` of strings or bytes.

    The backend takes the serialised strings from `pb_utils.serialize_byte_tensor` and reads the size of an element
    during construction. For that time, and for a dtype that nothing else uses, the flags are set to 1, the size of a
    byte.
    """
    byte = np.dtype(np.uint8, copy=True)
    size = ctypes.c_uint64.from_address(id(byte) + _OLD_SIZE_OFFSET)
    serialize = pb_utils.serialize_byte_tensor

    def serialize_as_array(strings: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        array = np.frombuffer(serialize(strings) or b"", byte)
        size.value = byte.itemsize
        return array

    pb_utils.serialize_byte_tensor = serialize_as_array  # type: ignore[attr-defined]
    try:
        return pb_utils.Tensor(name, values)
    finally:
        size.value = 0
        pb_utils.serialize_byte_tensor = serialize  # type: ignore[attr-defined]
