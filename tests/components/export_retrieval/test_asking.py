"""Clients of a served retrieval ensemble: the client, plain JSON, and `emrys predict`."""

from __future__ import annotations

import json
import urllib.request

import numpy as np
import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.serving.canary import main as compare
from emrys.components.serving.client import EnsembleClient
from emrys.pipelines.cli.predict_command import predict_rows
from tests.components.export_retrieval.conftest import ENSEMBLES
from tests.components.serving import small_recommender as small

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_ids_are_the_strings_of_the_raw_data(server, protocol):
    with EnsembleClient(server.grpc_url if protocol == "grpc" else server.http_url, protocol, "words") as client:
        rows = small.ROWS * 20  # more than a request takes
        for got, wanted in zip(client.recommend(rows), small.expected_lists(rows), strict=True):
            assert [one.item for one in got] == [film for film, _ in wanted]
            np.testing.assert_allclose([one.score for one in got], [score for _, score in wanted], rtol=1e-4, atol=1e-5)
        assert client.recommend([]) == []
        with pytest.raises(ConfigError, match=r"words .*recommend\(\)"):
            client.predict(small.ROWS)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_without_a_name_there_must_be_one_ensemble(server, protocol):
    url = server.grpc_url if protocol == "grpc" else server.http_url
    with EnsembleClient(url, protocol) as client, pytest.raises(ConfigError) as caught:
        client.recommend(small.ROWS)
    message, names = str(caught.value).split(", got ")
    assert message.startswith(f"{url}: ")
    assert set(names.split(". ")[0].split(", ")) == {*ENSEMBLES, "words"}


def test_the_answer_in_json_is_json(server):
    """It is valid in every language: no infinity, no NaN."""
    tensors = {"user": ("BYTES", ["bob"]), "age": ("FP32", [30.0]), "history": ("BYTES", ["film h", "film b"])}
    inputs = [
        {"name": name, "datatype": kind, "shape": [1, len(data)], "data": data}
        for name, (kind, data) in tensors.items()
    ]
    body = json.dumps({"inputs": inputs}).encode()
    request = urllib.request.Request(f"http://{server.http_url}/v2/models/words/infer", body)

    def refuse(constant):
        raise AssertionError(constant)

    with urllib.request.urlopen(request) as response:  # noqa: S310 - of this machine
        answer = json.loads(response.read(), parse_constant=refuse)
    outputs = {output["name"]: output for output in answer["outputs"]}
    # Bob has seen all but film h, which is in his request.
    assert outputs["item_ids"]["data"] == ["", "", "", ""]
    assert outputs["scores"]["data"] == pytest.approx([-3.4028234663852886e38] * 4)


def test_emrys_predict_prints_items_and_scores(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(small.ROWS))
    predict_rows(rows, None, number=None, url=server.grpc_url, protocol="grpc", model="words")
    printed = capsys.readouterr().out
    for items in small.expected_lists(small.ROWS):
        assert ", ".join(f"{film} ({score:.4f})" for film, score in items) in printed


def test_emrys_predict_says_how_many_more_there_are(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    rows = tmp_path / "rows.csv"
    rows.write_text("userId\n1\n")
    predict_rows(rows, None, number=None, url=server.http_url, protocol="http", model="factors")
    assert capsys.readouterr().out.rstrip().split("), ")[-1].startswith("and 20 more")


def test_two_releases_are_compared(server, tmp_path, capsys):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(small.ROWS))
    limits = ["--model=words", "--max-mean-difference=0.01", "--min-rank-correlation=0.99"]
    assert compare([server.grpc_url, server.grpc_url, f"--rows={rows}", *limits]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["rows"], printed["overlap"], printed["max_difference"]) == (5, 1.0, 0.0)
