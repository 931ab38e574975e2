"""Requests and answers of the inference protocol over HTTP, as the messages of the same protocol over gRPC.

One thing is added to the protocol: the JSON `data` of an input may hold null, since JSON can write neither NaN nor, in
many languages, -2**63. It becomes the null of an ensemble: NaN, -2**63 or the empty string, by the datatype.

The size of every array follows from the bytes that arrived: a shape that claims anything else is refused before
memory is taken for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message
from tritonclient.grpc import service_pb2
from tritonclient.utils import triton_to_np_dtype

from emrys.blocks.errors import DataError
from emrys.components.serving.columns import NULL_FLOAT32, NULL_INT64

#: Most axes of a shape.
MAX_AXES = 8

_LARGEST_INT = 2**63 - 1
_LENGTH_BYTES = 4  # of a string's length in front of the string

#: What null in JSON is, by datatype.
_NULLS: Mapping[str, Any] = {"INT64": NULL_INT64, "FP32": NULL_FLOAT32, "FP64": NULL_FLOAT32, "BYTES": ""}

#: Python types of a number in JSON, by kind of NumPy dtype.
_JSON_TYPES: Mapping[str, set[type]] = {"i": {int}, "u": {int}, "f": {int, float}, "b": {bool}, "O": {str}}


@dataclass(frozen=True)
class HttpRequest:
    """A request for inference, and how its answer is to be written.

    Args:
        message: The request for gRPC.
        binary: Whether outputs come as binary data, by name.
        binary_by_default: The same for outputs that were not named.
    """

    message: service_pb2.ModelInferRequest
    binary: Mapping[str, bool]
    binary_by_default: bool

    def is_binary(self, output: str) -> bool:
        """Whether the answer has an output as binary data."""
        return self.binary.get(output, self.binary_by_default)


def read_request(body: bytes, json_bytes: int | None, model: str, version: str) -> HttpRequest:
    """Reads the body of a request.

    Args:
        body: JSON, possibly with binary data after it.
        json_bytes: Number of bytes of the JSON, of the header `Inference-Header-Content-Length`; None if it is all.
        model: Name of the model.
        version: Version of the model; empty for the latest.

    Returns:
        The request.

    Raises:
        DataError: if the body is no such request, or an input claims a shape that its data do not have.
    """
    if json_bytes is not None and not 0 <= json_bytes <= len(body):
        raise DataError(
            "Inference-Header-Content-Length is out of range", expected=f"0 to {len(body)}", got=str(json_bytes)
        )
    content = _object(_parse(body[:json_bytes]), "the body")
    rest = memoryview(b"" if json_bytes is None else body[json_bytes:])
    parameters = _object(content.get("parameters", {}), "parameters")
    message = service_pb2.ModelInferRequest(
        model_name=model, model_version=version, id=_text(content.get("id", ""), "id")
    )
    for tensor in _objects(content, "inputs"):
        rest = _add_input(message, tensor, rest)
    if len(rest):
        raise DataError(
            "binary data are left after the last input", got=f"{len(rest)} bytes", fix="Check binary_data_size."
        )
    binary = {}
    for output in _objects(content, "outputs") if "outputs" in content else ():
        name = _text(output.get("name"), "the name of an output")
        asked = _object(output.get("parameters", {}), f"the parameters of the output {name!r}")
        binary[name] = asked.pop("binary_data", False) is True
        _set_parameters(message.outputs.add(name=name), asked)
    by_default = parameters.pop("binary_data_output", False) is True
    _set_parameters(message, parameters)
    return HttpRequest(message, binary, by_default)


def write_response(message: service_pb2.ModelInferResponse, request: HttpRequest) -> tuple[bytes, int | None]:
    """Writes the answer to a request.

    Args:
        message: The answer over gRPC.
        request: The request.

    Returns:
        The body, and the number of bytes of its JSON; None if there is nothing after it.

    Raises:
        DataError: if an output that is to be written as JSON has a string that is not UTF-8.
    """
    content: dict[str, Any] = {"model_name": message.model_name, "model_version": message.model_version}
    if message.id:
        content["id"] = message.id
    if message.parameters:
        content["parameters"] = _parameters(message)
    outputs, binary = [], []
    for tensor, data in zip(message.outputs, message.raw_output_contents, strict=True):
        output: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        parameters = _parameters(tensor)
        if request.is_binary(tensor.name):
            parameters["binary_data_size"] = len(data)
            binary.append(data)
        else:
            output["data"] = _values(tensor.name, tensor.datatype, data)
        if parameters:
            output["parameters"] = parameters
        outputs.append(output)
    text = json.dumps({**content, "outputs": outputs}, separators=(",", ":")).encode()
    return b"".join([text, *binary]), len(text) if binary else None


def as_json(message: Message) -> dict[str, Any]:
    """Converts a message to JSON as the server's own HTTP endpoint does: numbers as numbers, all fields present."""
    return {
        field.name: _field(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _field(field: Any, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {str(key): _single(inner, one) for key, one in value.items()}
    if field.is_repeated:
        return [_single(field, one) for one in value]
    return _single(field, value)


def _single(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return as_json(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the body is not JSON ({error})") from None


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{what} must be an object", got=type(value).__name__)
    return value


def _objects(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    values = content.get(name)
    if not isinstance(values, list):
        raise DataError(f"{name} must be a list", got="nothing" if values is None else type(values).__name__)
    return [_object(value, f"each of {name}") for value in values]


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{what} must be a string", got=type(value).__name__)
    return value


def _add_input(message: service_pb2.ModelInferRequest, tensor: dict[str, Any], rest: memoryview) -> memoryview:
    """Adds an input to a request; returns the binary data after that of the input."""
    name = _text(tensor.get("name"), "the name of an input")
    datatype = _text(tensor.get("datatype"), f"the datatype of the input {name!r}")
    dtype = None if datatype == "BF16" else triton_to_np_dtype(datatype)  # NumPy has no bfloat16
    if dtype is None:
        raise DataError("an input has an unknown datatype", column=name, got=repr(datatype)[:40])
    shape = _shape(name, tensor.get("shape"))
    parameters = _object(tensor.get("parameters", {}), f"the parameters of the input {name!r}")
    size = parameters.pop("binary_data_size", None)
    if size is None:
        data = _packed(name, datatype, np.dtype(dtype), shape, tensor.get("data"))
    else:
        data, rest = _binary(name, np.dtype(dtype), shape, size, rest)
    _set_parameters(message.inputs.add(name=name, datatype=datatype, shape=shape), parameters)
    message.raw_input_contents.append(data)
    return rest


def _shape(name: str, shape: Any) -> list[int]:
    if not isinstance(shape, list) or len(shape) > MAX_AXES or any(type(size) is not int for size in shape):
        raise DataError(f"the shape must be a list of at most {MAX_AXES} integers", column=name, got=repr(shape)[:80])
    if any(not 0 <= size <= _LARGEST_INT for size in shape):
        raise DataError("the shape is out of range", column=name, got=str(shape))
    return shape


def _packed(name: str, datatype: str, dtype: np.dtype[Any], shape: list[int], data: Any) -> bytes:
    """Packs the values of an input in JSON."""
    if not isinstance(data, list):
        raise DataError("data must be a list", column=name, got=type(data).__name__)
    values = _flat(data)
    if len(values) != math.prod(shape):
        raise DataError(
            "the shape and the data of an input differ",
            column=name,
            expected=f"{math.prod(shape)} values for the shape {shape}",
            got=str(len(values)),
        )
    if None in values:
        if datatype not in _NULLS:
            raise DataError("an input of this datatype has no null", column=name, got=datatype)
        values = [_NULLS[datatype] if value is None else value for value in values]
    wrong = set(map(type, values)) - _JSON_TYPES[dtype.kind]
    if wrong:
        raise DataError("data have a value of the wrong type", column=name, got=min(one.__name__ for one in wrong))
    try:
        if dtype.kind == "O":
            return _serialized(value.encode() for value in values)
        return np.array(values, dtype=dtype).tobytes()
    except (OverflowError, UnicodeEncodeError) as error:
        raise DataError(f"a value cannot be represented ({error})"[:200], column=name) from None


def _flat(data: list[Any]) -> list[Any]:
    """Flattens nested lists, row by row; lists that are nested deeper than a shape has axes remain."""
    for _ in range(MAX_AXES):
        if not any(isinstance(value, list) for value in data):
            break
        data = [one for value in data for one in (value if isinstance(value, list) else (value,))]
    return data


def _serialized(strings: Iterable[bytes]) -> bytes:
    return b"".join(len(string).to_bytes(_LENGTH_BYTES, "little") + string for string in strings)


def _binary(name: str, dtype: np.dtype[Any], shape: list[int], size: Any, rest: memoryview) -> tuple[bytes, memoryview]:
    """Takes the binary data of an input; returns them and what follows."""
    if type(size) is not int or not 0 <= size <= len(rest):
        raise DataError(
            "binary_data_size is not among the bytes of the body",
            column=name,
            expected=f"0 to {len(rest)}",
            got=repr(size)[:40],
        )
    elements = math.prod(shape)
    least = elements * (_LENGTH_BYTES if dtype.kind == "O" else dtype.itemsize)
    if size < least or (size != least and dtype.kind != "O"):
        raise DataError(
            "the shape and the data of an input differ",
            column=name,
            expected=f"{least} bytes for the shape {shape}",
            got=str(size),
        )
    return bytes(rest[:size]), rest[size:]


def _set_parameters(message: Message, parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        if name.startswith("shared_memory"):
            raise DataError("shared memory is not available over HTTP", got=name)
        field = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}.get(type(value))
        if field is None or (field == "int64_param" and not -_LARGEST_INT <= value <= _LARGEST_INT):
            raise DataError("a parameter has the wrong type", got=f"{name}: {value!r}"[:80])
        setattr(message.parameters[name], field, value)  # type: ignore[attr-defined]


def _parameters(message: Any) -> dict[str, Any]:
    kinds = ((name, one, one.WhichOneof("parameter_choice")) for name, one in message.parameters.items())
    return {name: getattr(one, kind) for name, one, kind in kinds if kind is not None}


def _values(name: str, datatype: str, data: bytes) -> list[Any]:
    dtype = np.dtype(triton_to_np_dtype(datatype))
    if dtype.kind != "O":
        numbers: npt.NDArray[Any] = np.frombuffer(data, dtype)
        return numbers.tolist()
    values, start = [], 0
    while start < len(data):
        start += _LENGTH_BYTES
        stop = start + int.from_bytes(data[start - _LENGTH_BYTES : start], "little")
        values.append(data[start:stop])
        start = stop
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise DataError("an output is not UTF-8", column=name, fix='Set its parameter "binary_data" to true.') from None
