"""The page docs/your-data.md: its commands run in their order, and give what it shows."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.components.serving.conftest import need_server
from tests.docs.click_log import write_click_log

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-data.md"
RUN = "emrys run recipe.yaml --output runs/mine"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _shown() -> dict[str, str]:
    """Output that the page shows after each command."""
    shown = {}
    for block in _blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            shown[command] = output
    return shown


SHOWN: Mapping[str, str] = _shown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the log of the page."""
    path = tmp_path_factory.mktemp("your-data")
    write_click_log(path / "clicks.csv")
    return path


def _call(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command of the page with a shell, as a reader does."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**{name: value for name, value in os.environ.items() if name != "COLUMNS"}, "PATH": path}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _text(done: subprocess.CompletedProcess[str]) -> str:
    """The output without spaces at the ends of lines."""
    return "".join(f"{line.rstrip()}\n" for line in (done.stdout + done.stderr).splitlines())


@pytest.fixture(scope="module")
def outputs(folder):
    """Output of the commands up to the run, with their exit status."""
    commands = list(SHOWN)[: list(SHOWN).index(RUN)]
    done = {command: _call(command, folder) for command in commands}
    return {command: (each.returncode, _text(each)) for command, each in done.items()}


def test_the_page_goes_from_a_log_to_a_server():
    assert [command.partition(" ")[0] for command in SHOWN] == [
        *("head", "emrys", "emrys", "sed", "emrys", "emrys", "emrys", "cat", "emrys", "cat", "curl")
    ]
    commands = [command.split()[1] for command in SHOWN if command.startswith("emrys")]
    assert commands == ["init", "check", "check", "run", "serve", "predict"]


def test_init_check_and_the_mistakes_are_as_shown(outputs):
    assert {command: text for command, (_, text) in outputs.items()} == {command: SHOWN[command] for command in outputs}
    assert [status for status, _ in outputs.values()] == [0, 0, 0, 0, 2]


def test_the_recipe_is_as_shown(folder, outputs):
    assert _blocks("yaml") == [(folder / "recipe.yaml").read_text()]


@pytest.fixture(scope="module")
def run(folder, outputs):
    """The run of the page."""
    return _call(RUN, folder)


def _table(text: str) -> dict[str, str]:
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in text.splitlines())


def test_the_run_passes_the_gate(folder, run):
    assert run.returncode == 0, run.stdout + run.stderr
    shown, real = _table(SHOWN[RUN]), _table(run.stdout)
    assert list(real) == list(shown)
    assert [real[name] for name in ("rows", "gate")] == [shown[name] for name in ("rows", "gate")]
    assert {name: real[name].replace(f"{folder.resolve()}/", "") for name in ("report", "pipeline", "serve it")} == {
        name: shown[name] for name in ("report", "pipeline", "serve it")
    }
    # The figures differ a little from processor to processor.
    assert float(real["AUC"].split()[0]) == pytest.approx(float(shown["AUC"].split()[0]), abs=0.02)


@pytest.fixture(scope="module")
def ports(folder, run) -> Iterator[tuple[int, int]]:
    """Ports for gRPC and HTTP of the page's server, which are free ones here."""
    need_server()
    assert run.returncode == 0, run.stdout + run.stderr
    emrys = str(Path(sys.executable).with_name("emrys"))
    command = [emrys, "serve", "runs/mine", "--http-port", "0", "--grpc-port", "0"]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert server.stdout is not None
        said = ""
        for line in server.stdout:
            said += line
            match = re.search(r"gRPC [\d.]+:(\d+), HTTP [\d.]+:(\d+)", line)
            if match:
                yield int(match[1]), int(match[2])
                break
        else:
            pytest.fail(f"the server did not start: {said}")
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=120)


@pytest.fixture(scope="module")
def score(folder, ports):
    """The score that `emrys predict` prints for the row of the page."""
    (folder / "rows.json").write_text(SHOWN["cat rows.json"])
    command = "emrys predict --rows rows.json"
    done = _call(f"{command} --url localhost:{ports[0]}", folder)
    number = re.compile(r"\b0\.\d{4}\b")
    assert number.sub("0.xxxx", _text(done)) == number.sub("0.xxxx", SHOWN[command])
    return float(number.findall(done.stdout)[0])


def test_a_request_with_null_gets_the_score_of_predict(ports, score):
    url = f"http://localhost:{ports[1]}/v2/models/ranking/infer"
    assert f"curl -s {url.removeprefix('http://').replace(str(ports[1]), '8000')} -d @request.json" in SHOWN
    request = urllib.request.Request(url, SHOWN["cat request.json"].encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 (this machine)
        (output,) = json.load(response)["outputs"]
    assert output["name"] == "score"
    assert output["data"][0] == pytest.approx(score, abs=6e-5)
    assert 0 < score < 1
