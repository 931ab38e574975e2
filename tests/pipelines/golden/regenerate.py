"""Writes the golden YAML of the ranking pipeline anew: `python -m tests.pipelines.golden.regenerate`."""

from pathlib import Path

from pipelines.compiling import compile_pipeline
from pipelines.config import RankingConfig
from pipelines.config_file import read_config
from pipelines.ranking import ranking_pipeline

HERE = Path(__file__).parent
#: A configuration in which every setting of a cluster occurs.
CONFIG = HERE / "ranking_config.yaml"
GOLDEN = HERE / "ranking.yaml"


def write(path: Path) -> None:
    """Compiles the ranking pipeline with the configuration beside this file."""
    compile_pipeline(ranking_pipeline(read_config(CONFIG, RankingConfig)), path)


if __name__ == "__main__":
    write(GOLDEN)
    print(GOLDEN)
