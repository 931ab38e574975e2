from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from emrys.blocks.errors import DependencyError, EmrysError
from emrys.components.train.tracking import tracked


class ServerError(Exception):
    pass


class Server:
    """Stands for an MLflow server and for its client."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.down = False

    def client(self, tracking_uri: str) -> Server:
        self.calls.append(("client", tracking_uri))
        return self

    def get_experiment_by_name(self, name: str) -> None:
        if self.down:
            raise ServerError("no answer")

    def create_experiment(self, name: str) -> str:
        return name

    def create_run(self, experiment: str) -> Any:
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=f"run of {experiment}"))

    def log_param(self, run: str, name: str, value: object) -> None:
        self.calls.append((run, name, value))

    def log_metric(self, run: str, name: str, value: float, step: int) -> None:
        if self.down:
            raise ServerError("no answer")
        self.calls.append((run, name, value, step))

    def set_terminated(self, run: str, status: str) -> None:
        self.calls.append((run, status))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    module: Any = types.ModuleType("mlflow")
    module.MlflowClient = server.client
    module.exceptions = types.SimpleNamespace(MlflowException=ServerError)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return server


def test_settings_and_epochs_are_reported(server: Server) -> None:
    with tracked("http://mlflow:5000", {"epochs": 2}) as report:
        report(0, {"val_loss": 0.5, "val_ndcg@10": 0.25})
    run = "run of emrys"
    assert server.calls == [
        ("client", "http://mlflow:5000"), (run, "epochs", 2), (run, "val_loss", 0.5, 0),
        (run, "val_ndcg_at_10", 0.25, 0), (run, "FINISHED"),
    ]  # fmt: skip


def test_a_training_that_fails_is_reported(server: Server) -> None:
    with pytest.raises(KeyboardInterrupt), tracked("http://mlflow:5000", {}):
        raise KeyboardInterrupt
    assert server.calls[-1] == ("run of emrys", "FAILED")


def test_a_server_that_stops_answering_does_not_end_the_training(server: Server, capfd: Any) -> None:
    with tracked("http://mlflow:5000", {}) as report:
        server.down = True
        report(0, {"val_loss": 0.5})
    assert "http://mlflow:5000: the tracking server cannot be used; got no answer" in capfd.readouterr().err
    message = r"^train: http://mlflow:5000: .* got no answer\. Check train\.tracking"
    with pytest.raises(EmrysError, match=message), tracked("http://mlflow:5000", {}):
        raise AssertionError


def test_without_an_address_nothing_is_reported() -> None:
    with tracked("", {"epochs": 2}) as report:
        assert report is None


def test_mlflow_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    message = r"needs MLflow.* Install emrys\[tracking\]"
    with pytest.raises(DependencyError, match=message), tracked("http://mlflow:5000", {}):
        raise AssertionError
