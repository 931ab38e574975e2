"""What one local run of a pipeline is asked to do."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Self

from emrys.pipelines.config.config import Runner


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """A local run; it travels to the process that executes it as one line of JSON.

    Args:
        output: Folder of the run, absolute.
        runner: Where the steps are executed.
        config_file: Configuration of the pipeline, absolute; None for the defaults.
        arguments: Arguments of the pipeline that differ from the configuration's.
        pipeline: Name of the pipeline.
        reuse: Whether ingest to train are taken from an earlier run in this folder where their inputs are equal.
    """

    output: Path
    runner: Runner = Runner.SUBPROCESS
    config_file: Path | None = None
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    pipeline: str = "ranking"
    reuse: bool = False

    @property
    def pipeline_root(self) -> Path:
        """Folder under which KFP puts the artifacts of the steps."""
        return self.output / "pipeline"

    @property
    def compiled(self) -> Path:
        """The compiled pipeline."""
        return self.output / f"{self.pipeline}.yaml"

    @property
    def log(self) -> Path:
        """Everything that the steps and KFP said."""
        return self.output / "run.log"

    @property
    def validation(self) -> Path:
        """The page about data that validate has stopped at."""
        return self.output / "validation.html"

    @property
    def outcome(self) -> Path:
        """Where the artifacts of a finished run are, as JSON."""
        return self.pipeline_root / "outputs.json"

    def to_json(self) -> str:
        """The request on one line."""
        values = {**dataclasses.asdict(self), "output": str(self.output), "runner": self.runner.value}
        values["config_file"] = None if self.config_file is None else str(self.config_file)
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        config_file = None if values["config_file"] is None else Path(values["config_file"])
        runner = Runner(values["runner"])
        return cls(
            Path(values["output"]), runner, config_file, values["arguments"], values["pipeline"], values["reuse"]
        )
