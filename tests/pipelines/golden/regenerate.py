"""Writes the golden YAML of the pipelines anew: `python -m tests.pipelines.golden.regenerate`."""

from pathlib import Path

from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.spec import SPECS, pipeline_spec

HERE = Path(__file__).parent


def golden(name: str) -> Path:
    """The golden file of a pipeline."""
    return HERE / f"{name}.yaml"


def write(name: str, path: Path) -> None:
    """Compiles a pipeline with the configuration beside this file, in which every setting of a cluster occurs."""
    wanted = pipeline_spec(name)
    compile_pipeline(wanted.builder(read_config(HERE / f"{name}_config.yaml", wanted.config)), path)


if __name__ == "__main__":
    for pipeline in SPECS:
        write(pipeline, golden(pipeline))
        print(golden(pipeline))
