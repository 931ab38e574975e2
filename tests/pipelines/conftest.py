"""Fixtures: runs through the command line, one per session and pipeline, since each takes a minute."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from emrys.components.ingest.config import IngestConfig
from emrys.components.ingest.step import run as ingest

#: A process of its own, as a user starts it.
EMRYS = [sys.executable, "-c", "from emrys.pipelines.cli import main; main()"]

#: So small a model passes no gate that looks at it; this one lets through whatever is measured.
OPEN_GATE = {"baseline_margin": -1.0, "production_margin": -1.0, "slice_margin": -1.0, "min_slice_size": 20}


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that has ended, well or not.

    Attributes:
        out: Folder of the run.
        status: Exit status.
        stderr_lines: Lines of standard error: the steps, and an error.
        table: The lines of the table on standard output, by their first words.
    """

    out: Path
    status: int
    stderr_lines: list[str]
    table: dict[str, str]

    def steps(self, ending: str) -> list[str]:
        """Names of the steps whose last line ends in `done in` and a time, or in `skipped`."""
        pattern = re.compile(rf"\[\d+/\d+\] (.+?) {ending}")
        return [match[1].replace(" ", "_") for match in map(pattern.match, self.stderr_lines) if match]


def emrys(*arguments: object, cwd: Path | None = None) -> Run:
    """Calls the command; `--output`, if used, must be the last option."""
    command = [*EMRYS, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    table = dict(re.split(r" {2,}", line.strip(), maxsplit=1) for line in done.stdout.strip().splitlines())
    out = (cwd or Path()) / command[-1]
    return Run(out, done.returncode, done.stderr.splitlines(), table)


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """A folder with a log of ratings in Parquet, configurations, and room for a registry."""
    folder = tmp_path_factory.mktemp("runs")
    splits = ingest(IngestConfig(synthetic_rows=4000), folder / "splits").path
    names = ("train", "valid", "test")
    log = pa.concat_tables([pq.read_table(splits / f"{name}.parquet", partitioning=None) for name in names])
    pq.write_table(log.drop_columns("rating_binary"), folder / "log.parquet")
    common = {"patience": 1, "model_name": "small", **OPEN_GATE}
    for pipeline, own in (
        ("ranking", {"epochs": 5, "thresholds": {"auc": 0.1}}),
        ("retrieval", {"epochs": 1, "embedding_dim": 8, "tower_layers": [8], "top_k": 20,
                       "thresholds": {"ndcg_at_10": 0.001}}),
    ):  # fmt: skip
        parameters = {"dataset": "log.parquet", **common, **own}
        (folder / f"{pipeline}.yaml").write_text(yaml.safe_dump({"parameters": parameters}), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def ranking_run(workplace):
    """A run of the ranking pipeline that passes the gate, with a registry in which nothing is yet."""
    options = ("--config", "ranking.yaml", "--epochs", 1, "--registry", "registry", "--reuse")
    return emrys("run", "ranking", *options, "--output", "ranking", cwd=workplace)


@pytest.fixture(scope="session")
def retrieval_run(workplace):
    """A run of the retrieval pipeline that passes the gate, without a registry."""
    return emrys("run", "retrieval", "--config", "retrieval.yaml", "--output", "retrieval", cwd=workplace)
