"""A request for a run survives its way into another process."""

from pathlib import Path

from emrys.pipelines.config.config import Runner
from emrys.pipelines.local.run_request import RunRequest


def test_a_request_comes_back_as_it_was():
    request = RunRequest(Path("/out"), Runner.DOCKER, Path("/c.yaml"), {"dataset": "ml-100k", "epochs": 3})
    assert RunRequest.from_json(request.to_json()) == request
    other = RunRequest(Path("/out"), pipeline="retrieval", reuse=True)
    assert RunRequest.from_json(other.to_json()) == other
    assert RunRequest.from_json(RunRequest(Path("/out")).to_json()) == RunRequest(Path("/out"))
    assert "\n" not in request.to_json()
