"""Requests over HTTP as messages for gRPC, and answers back; the bytes are those of the inference protocol."""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
from tritonclient.grpc import model_config_pb2, service_pb2

from emrys.blocks.errors import DataError
from emrys.components.serving.http_messages import as_json, read_request, write_response


def tensor(**changes):
    return {"name": "x", "datatype": "INT64", "shape": [2, 1], "data": [5, -6], **changes}


def read(*inputs, **rest):
    return read_request(json.dumps({"inputs": list(inputs), **rest}).encode(), None, "m", "")


@pytest.mark.parametrize(
    ("datatype", "data", "content"),
    [
        ("INT64", [5, -6], struct.pack("<2q", 5, -6)),
        ("INT64", [[5], [-6]], struct.pack("<2q", 5, -6)),
        ("UINT8", [5, 255], b"\x05\xff"),
        ("FP32", [0.5, 2], struct.pack("<2f", 0.5, 2.0)),
        ("BOOL", [True, False], b"\x01\x00"),
        ("BYTES", ["é", ""], b"\x02\0\0\0\xc3\xa9\0\0\0\0"),
        ("INT64", [None, 7], struct.pack("<2q", -(2**63), 7)),
        ("FP32", [[None], [2.5]], struct.pack("<2f", math.nan, 2.5)),
        ("FP64", [0, None], struct.pack("<2d", 0.0, math.nan)),
        ("BYTES", ["a", None], b"\x01\0\0\0a\0\0\0\0"),
    ],
)
def test_values_in_json_become_bytes(datatype, data, content):
    message = read(tensor(datatype=datatype, data=data)).message
    assert (message.model_name, message.inputs[0].name, list(message.inputs[0].shape)) == ("m", "x", [2, 1])
    assert message.inputs[0].datatype == datatype
    assert list(message.raw_input_contents) == [content]


def test_binary_data_follow_the_json_in_order():
    content = {
        "id": "7",
        "parameters": {"binary_data_output": True, "priority": 3},
        "inputs": [
            {"name": "a", "datatype": "INT64", "shape": [1, 1], "parameters": {"binary_data_size": 8}},
            {"name": "b", "datatype": "FP32", "shape": [1], "data": [1.5]},
            {"name": "c", "datatype": "BYTES", "shape": [1, 2], "parameters": {"binary_data_size": 9}},
        ],
        "outputs": [{"name": "y", "parameters": {"binary_data": False, "classification": 2}}, {"name": "z"}],
    }
    text = json.dumps(content).encode()
    strings = b"\x01\0\0\0q\0\0\0\0"
    request = read_request(text + struct.pack("<q", 9) + strings, len(text), "m", "4")
    message = request.message
    assert (message.id, message.model_version, message.parameters["priority"].int64_param) == ("7", "4", 3)
    assert list(message.raw_input_contents) == [struct.pack("<q", 9), struct.pack("<f", 1.5), strings]
    assert [one.name for one in message.outputs] == ["y", "z"]
    assert message.outputs[0].parameters["classification"].int64_param == 2
    assert "binary_data_output" not in message.parameters
    assert [request.is_binary(name) for name in ("y", "z", "other")] == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": [10**9, 1], "data": [1]}, r"column 'x': .*; expected 1000000000 values .*, got 1"),
        ({"shape": [2**62, 4], "data": []}, rf"expected {2**64} values .*, got 0"),
        ({"shape": [3, 1]}, "expected 3 values .*, got 2"),
        ({"shape": [-1, 2]}, "out of range"),
        ({"shape": [2**63]}, "out of range"),
        ({"shape": [2.0]}, "must be a list of at most 8 integers"),
        ({"shape": [True, 2]}, "must be a list of at most 8 integers"),
        ({"shape": [1] * 9}, "must be a list of at most 8 integers"),
        ({"shape": None}, "must be a list of at most 8 integers"),
        ({"datatype": "INT65"}, "unknown datatype"),
        ({"datatype": 3}, "must be a string"),
        ({"name": None}, "must be a string"),
        ({"data": None}, "data must be a list"),
        ({"data": [1, 2**63]}, "cannot be represented"),
        ({"data": [1, 2.5]}, "value of the wrong type; got float"),
        ({"data": [1, True]}, "value of the wrong type; got bool"),
        ({"datatype": "INT32", "data": [1, None]}, "column 'x': an input of this datatype has no null; got INT32"),
        ({"datatype": "BOOL", "data": [True, None]}, "has no null; got BOOL"),
        ({"data": [None]}, "expected 2 values .*, got 1"),
        ({"data": [[[[[[[[[[1]]]]]]]]], 2]}, "value of the wrong type; got list"),
        ({"datatype": "BYTES", "data": ["a", "\ud800"]}, "cannot be represented"),
        ({"parameters": {"binary_data_size": 1}}, "binary_data_size .* expected 0 to 0, got 1"),
        ({"parameters": {"shared_memory_region": "r"}}, "shared memory"),
        ({"parameters": {"deep": {}}}, "a parameter has the wrong type"),
    ],
)
def test_a_wrong_input_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        read(tensor(**changes))


@pytest.mark.parametrize(
    ("shape", "datatype", "data", "message"),
    [
        ([10**9, 1], "INT64", b"\0" * 8, "expected 8000000000 bytes .*, got 8"),
        ([1, 1], "INT64", b"\0" * 9, "expected 8 bytes .*, got 9"),
        ([4, 2**62], "BYTES", b"", rf"expected {2**66} bytes .*, got 0"),
    ],
)
def test_binary_data_that_do_not_fit_the_shape_are_refused(shape, datatype, data, message):
    one = {"name": "x", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
    text = json.dumps({"inputs": [one]}).encode()
    with pytest.raises(DataError, match=message):
        read_request(text + data, len(text), "m", "")


def test_binary_data_beside_the_inputs_are_refused():
    text = json.dumps({"inputs": [tensor()]}).encode()
    with pytest.raises(DataError, match=r"binary data are left .*; got 3 bytes"):
        read_request(text + b"abc", len(text), "m", "")
    with pytest.raises(DataError, match="expected 0 to"):
        read_request(text, len(text) + 1, "m", "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"inputs": [' + b"9" * 5000 + b"]}", "not JSON"),
        (b"[]", "the body must be an object; got list"),
        (b"{}", "inputs must be a list; got nothing"),
        (b'{"inputs": {}}', "inputs must be a list; got dict"),
        (b'{"inputs": [1]}', "each of inputs must be an object; got int"),
        (b'{"inputs": [], "id": 3}', "id must be a string"),
        (b'{"inputs": [], "parameters": []}', "parameters must be an object"),
        (b'{"inputs": [], "outputs": 3}', "outputs must be a list"),
    ],
)
def test_a_wrong_body_is_refused(body, message):
    with pytest.raises(DataError, match=message):
        read_request(body, None, "m", "")


def response():
    answer = service_pb2.ModelInferResponse(model_name="m", model_version="2", id="7")
    answer.outputs.add(name="score", datatype="FP32", shape=[2, 1])
    answer.outputs.add(name="ids", datatype="BYTES", shape=[1, 2])
    answer.raw_output_contents.extend([struct.pack("<2f", 0.5, -2.0), b"\x02\0\0\0\xc3\xa9\0\0\0\0"])
    return answer


def test_an_answer_in_json():
    body, json_bytes = write_response(response(), read())
    assert json_bytes is None
    assert json.loads(body) == {
        "model_name": "m",
        "model_version": "2",
        "id": "7",
        "outputs": [
            {"name": "score", "datatype": "FP32", "shape": [2, 1], "data": [0.5, -2.0]},
            {"name": "ids", "datatype": "BYTES", "shape": [1, 2], "data": ["é", ""]},
        ],
    }


def test_an_answer_with_binary_data():
    outputs = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "ids"}]
    body, json_bytes = write_response(response(), read(outputs=outputs))
    assert json_bytes is not None
    assert body[json_bytes:] == struct.pack("<2f", 0.5, -2.0)
    score, ids = json.loads(body[:json_bytes])["outputs"]
    assert score == {"name": "score", "datatype": "FP32", "shape": [2, 1], "parameters": {"binary_data_size": 8}}
    assert ids["data"] == ["é", ""]


def test_a_string_that_is_not_utf8_needs_binary_data():
    answer = response()
    answer.raw_output_contents[1] = b"\x01\0\0\0\xff\0\0\0\0"
    with pytest.raises(DataError, match=r"column 'ids': .* not UTF-8.*binary_data"):
        write_response(answer, read())


def test_messages_become_json_with_numbers_and_defaults():
    metadata = service_pb2.ModelMetadataResponse(name="m", versions=["1"], platform="python")
    metadata.inputs.add(name="x", datatype="INT64", shape=[-1, 1])
    assert as_json(metadata) == {
        "name": "m",
        "versions": ["1"],
        "platform": "python",
        "inputs": [{"name": "x", "datatype": "INT64", "shape": [-1, 1]}],
        "outputs": [],
    }
    config = model_config_pb2.ModelConfig(
        max_batch_size=8, input=[{"name": "x", "data_type": "TYPE_FP32", "dims": [-1]}]
    )
    config.parameters["threads"].string_value = "2"
    written = as_json(config)
    assert written["max_batch_size"] == 8
    assert (written["input"][0]["data_type"], written["input"][0]["dims"]) == ("TYPE_FP32", [-1])
    assert written["parameters"] == {"threads": {"string_value": "2"}}
    assert written["input"][0]["optional"] is False
    assert "dynamic_batching" not in written


def test_a_number_at_the_edge_keeps_its_value():
    message = read(tensor(data=[2**63 - 1, -(2**63)])).message
    assert np.frombuffer(message.raw_input_contents[0], np.int64).tolist() == [2**63 - 1, -(2**63)]
