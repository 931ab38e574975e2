"""The pipelines of the suite by name: configuration, steps, and how each is built."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from typing import Any

from emrys.blocks.errors import ConfigError
from emrys.pipelines.config.config import PipelineConfig
from emrys.pipelines.config.ranking_config import RankingConfig
from emrys.pipelines.config.retrieval_config import RetrievalConfig

_TRAINING = ("fingerprint", "ingest", "validate", "preprocess", "infer_schema", "build_model", "train")


@dataclasses.dataclass(frozen=True)
class Definition:
    """A pipeline of the suite.

    Args:
        name: Its name in commands, file names and on Kubeflow.
        config: Class of its configuration.
        evaluate: Its step that evaluates.
        export: Its step that exports; only what passes the gate is exported.
    """

    name: str
    config: type[PipelineConfig]
    evaluate: str
    export: str

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps, in the order in which they run."""
        return (*_TRAINING, self.evaluate, "gate", *self.behind_gate, "report")

    @property
    def behind_gate(self) -> tuple[str, ...]:
        """The steps that only run where the gate passed; the report is written in any case."""
        return self.export, "promote"

    def build(self, config: Any) -> Any:
        """The pipeline, to compile or to run; KFP is imported here, since it takes a second.

        Args:
            config: Configuration, of the class above.
        """
        from emrys.pipelines.ranking import ranking_pipeline
        from emrys.pipelines.retrieval import retrieval_pipeline

        builders: dict[str, Callable[[Any], Any]] = {"ranking": ranking_pipeline, "retrieval": retrieval_pipeline}
        return builders[self.name](config)


_DEFINITIONS = {
    one.name: one
    for one in (
        Definition("ranking", RankingConfig, "evaluate", "export_ensemble"),
        Definition("retrieval", RetrievalConfig, "evaluate_retrieval", "export_retrieval"),
    )
}

#: Names of the pipelines.
PIPELINES = tuple(_DEFINITIONS)


def definition(name: str) -> Definition:
    """The pipeline of a name.

    Raises:
        ConfigError: if there is none.
    """
    if name not in _DEFINITIONS:
        near = difflib.get_close_matches(name, PIPELINES, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else None
        raise ConfigError(f"no such pipeline: {name!r}", expected=f"one of {', '.join(PIPELINES)}", fix=fix)
    return _DEFINITIONS[name]
