"""How a repository is handed out: written, held against the offline path, and only then put in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from emrys.components.artifacts.triton_repository import TritonRepository
from emrys.components.export_ensemble.columns import Column
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_ensemble.parity import ParityResult
from emrys.components.running import emit


def hand_out(
    step: str,
    config: ExportConfig,
    output: Path,
    *,
    write: Callable[[Path], Sequence[Column]],
    page: Callable[[Sequence[Column]], str],
    choose: Callable[[Sequence[Column]], pa.Table],
    check: Callable[[Path, pa.Table], ParityResult],
    facts: Mapping[str, Any],
) -> TritonRepository:
    """Writes a model repository, checks it, and hands it out if it passes.

    Args:
        step: Name of the pipeline step, for what it tells.
        config: Settings.
        output: Where the repository shall stand.
        write: Fills the folder of the models; gives what the ensemble takes.
        page: Text of the page that goes with the repository.
        choose: Chooses the raw rows that are compared.
        check: Holds the models against the offline path.
        facts: What the metadata of the repository carries besides.

    Returns:
        The repository.

    Raises:
        EmrysError: what the parts raise; nothing is then at `output`.
    """
    described: dict[str, Any] = {"name": config.name, "version": config.version, "config": asdict(config)}
    with TritonRepository.create(output, described) as work:
        models = work / "models"
        models.mkdir()
        emit(step, "progress", done=1, total=3, text="writing the model repository")
        inputs = write(models)
        (work / "README.md").write_text(page(inputs), encoding="utf-8")
        rows = choose(inputs)
        emit(step, "progress", done=2, total=3, text=f"comparing {rows.num_rows:,} rows with the offline path")
        result = check(models, rows)
        described.update(facts, inputs=[asdict(column) for column in inputs], parity=asdict(result))
        text = f"{result.rows:,} rows agree within {result.max_abs_difference:.1e} ({result.through})"
        emit(step, "progress", done=3, total=3, text=text)
    return TritonRepository(output)
