"""Failed and interrupted local runs: message, exit status and remaining files."""

import fcntl
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emrys.blocks.errors import ConfigError
from emrys.pipelines.local.outcome import Outcome
from emrys.pipelines.local.progress import Progress
from emrys.pipelines.local.run import RunError, run_pipeline
from emrys.pipelines.local.run_request import RunRequest
from emrys.pipelines.spec import pipeline_spec

EMRYS = [sys.executable, "-c", "from emrys.pipelines.cli import main; main()"]

STEPS = pipeline_spec("ranking").steps


def processes_of(folder: Path) -> dict[int, str]:
    """Command lines of the processes that know of `folder`, by process id."""
    lines = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes()
        except OSError:  # it has ended
            continue
        if str(folder).encode() in line and int(file.parent.name) != os.getpid():
            lines[int(file.parent.name)] = line.decode(errors="replace")
    return lines


def steps_of(folder: Path) -> list[int]:
    """Process ids of the steps that work under `folder`, waited for."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = processes_of(folder)
        if steps := [process for process, line in lines.items() if "\0-m\0kfp.dsl.executor_main" in line]:
            return steps
        time.sleep(0.02)
    raise AssertionError("no step was started")


@pytest.fixture
def run(tmp_path):
    """A run of the synthetic data set, started in the background."""
    process = subprocess.Popen(
        [*EMRYS, "run", "ranking", "--output", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # As a terminal starts it: a shell has its background jobs, such as these tests may be, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    yield process
    process.terminate()
    process.communicate(timeout=60)


@pytest.mark.slow
def test_a_missing_data_set_is_one_line_and_status_2(tmp_path):
    result = subprocess.run(
        [*EMRYS, "run", "ranking", "--dataset", "nope.zip", "--output", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    *progress, last = result.stderr.splitlines()
    assert progress == ["[1/12] fingerprint ..."]
    assert last == (
        f"emrys: fingerprint: {tmp_path}/nope.zip: there is no such file; expected a file, a folder with files, or a "
        f"glob that matches some. Correct the path. The log is {tmp_path}/out/run.log"
    )
    log = (tmp_path / "out" / "run.log").read_text()
    assert "Executing task" in log
    assert "Traceback" not in log.split("there is no such file")[0]
    # The compiled pipeline is there; no artifact is, not even a part of one.
    assert [file.name for file in (tmp_path / "out").iterdir() if file.is_file()] != []
    assert [path for path in (tmp_path / "out" / "pipeline").rglob("*") if path.is_file()] == [
        tmp_path / "out" / "pipeline" / ".lock"
    ]


@pytest.mark.slow
def test_a_damaged_archive_shows_the_log_when_asked_and_the_same_line(tmp_path):
    (tmp_path / "ml-100k.zip").write_bytes(b"PK\x03\x04 and no more")
    result = subprocess.run(
        [*EMRYS, "run", "ranking", "--dataset", "ml-100k.zip", "--output", "out", "-v"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "Executing task" in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"emrys: ingest: {tmp_path}/ml-100k.zip: ")
    assert last.endswith(f"The log is {tmp_path}/out/run.log")


@pytest.mark.slow
def test_the_error_names_a_killed_step(tmp_path, run):
    for process in steps_of(tmp_path / "out"):
        os.kill(process, signal.SIGKILL)
    _, stderr = run.communicate(timeout=60)
    assert stderr.splitlines() == [
        "[1/12] fingerprint ...",
        "emrys: fingerprint: the step ended without an error message; it may have run out of memory. "
        f"The log is {tmp_path}/out/run.log",
    ]
    assert run.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_an_interrupted_run_leaves_no_process_and_no_half_written_file(tmp_path, run, number):
    out = tmp_path / "out"
    steps_of(out)
    run.send_signal(number)
    _, stderr = run.communicate(timeout=60)
    assert stderr.splitlines()[-1] == "emrys: interrupted; nothing is left half-written"
    assert run.returncode == 130
    assert processes_of(out) == {}
    assert [path.name for path in out.rglob(".*")] == [".lock"]


@pytest.mark.slow
def test_the_next_run_removes_partial_files_of_a_killed_one(tmp_path):
    left = tmp_path / "out" / "pipeline" / "ranking-2020" / "ingest" / ".splits.abc.partial"
    left.mkdir(parents=True)
    (left / "train.parquet").write_bytes(b"PAR1")
    request = RunRequest(tmp_path / "out", arguments={"dataset": str(tmp_path / "nope")})
    with pytest.raises(RunError), Progress(STEPS, io.StringIO()) as progress:
        run_pipeline(request, progress)
    assert not left.exists()


@pytest.mark.slow
def test_a_failed_run_keeps_the_artifacts_of_the_last_one_that_finished(tmp_path):
    request = RunRequest(tmp_path / "out", arguments={"dataset": str(tmp_path / "nope")})
    for name in ("ranking-1", "ranking-2"):
        (request.pipeline_root / name / "evaluate" / "evaluation").mkdir(parents=True)
    finished = request.pipeline_root / "ranking-2" / "evaluate" / "evaluation"
    Outcome("ranking", {"evaluation": {"path": str(finished), "metadata": {}}}).write(request)
    with pytest.raises(RunError), Progress(STEPS, io.StringIO()) as progress:
        run_pipeline(request, progress)
    assert finished.exists()
    assert not (request.pipeline_root / "ranking-1").exists()


def test_two_runs_do_not_share_a_folder(tmp_path):
    request = RunRequest(tmp_path / "out")
    request.pipeline_root.mkdir(parents=True)
    with (request.pipeline_root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match=r"out: another run is writing to this folder\. Wait, or choose another"):
            run_pipeline(request, Progress(STEPS, io.StringIO()))
    assert not request.log.exists()


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/out: the output folder cannot be used \(Not a directory\)\. Choose"):
        run_pipeline(RunRequest(tmp_path / "file" / "out"), Progress(STEPS, io.StringIO()))


@pytest.mark.slow
def test_docker_without_an_engine_is_one_line_and_status_1(tmp_path):
    result = subprocess.run(
        [*EMRYS, "run", "ranking", "--runner", "docker", "--output", str(tmp_path / "out")],
        env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/docker.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("emrys: pipeline: no Docker engine answers (")
    assert last.endswith(f"Start one, or use --runner subprocess. The log is {tmp_path}/out/run.log")
