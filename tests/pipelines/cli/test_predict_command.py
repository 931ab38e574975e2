"""The table that `emrys predict` prints, with a stand-in for the connection to a server."""

from __future__ import annotations

import numpy as np

from emrys.components.serving.columns import Column
from emrys.pipelines.cli import predict_command


class Client:
    """Answers every row with scores of three targets."""

    columns = (Column("visitor", "string"), Column("recent", "int64", is_list=True), Column("price", "float32"))
    recommends = False
    classes = {"stars": [1, 3, 5]}  # noqa: RUF012
    time_units: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, url, protocol, model):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def predict_all(self, rows):
        count = len(rows)
        return {
            "buy": np.full(count, 0.25, np.float32),
            "amount": np.arange(count, dtype=np.float32) * 100,
            "stars": np.tile(np.array([[0.125, 0.25, 0.625]], np.float32), (count, 1)),
        }


def test_every_target_has_a_column(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(predict_command, "EnsembleClient", Client)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "rows.csv").write_text("visitor;price;recent\nann;2.5;7|8\nbob;;\n")
    predict_command.predict_rows(tmp_path / "rows.csv", None, number=None, url=None, protocol="grpc", model=None)
    lines = [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in capsys.readouterr().out.splitlines()
        if line[:1] in "│┃"
    ]
    assert lines == [
        ["visitor", "price", "buy", "amount", "stars"],
        ["ann", "2.5", "0.2500", "0.0000", "5 (0.6250), 3 (0.2500), 1 (0.1250)"],
        ["bob", "", "0.2500", "100.0000", "5 (0.6250), 3 (0.2500), 1 (0.1250)"],
    ]
