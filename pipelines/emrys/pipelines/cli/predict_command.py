"""Implementation of `emrys predict`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.splits import Splits
from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.recommendation import Recommendation
from emrys.pipelines.cli.row_file import read_rows
from emrys.pipelines.local.outcome import artifacts_of

_PORTS = {"grpc": 8001, "http": 8000}
_SAMPLE = 5
#: Number of recommended items printed for a row, of the most likely classes, and of columns that are no lists.
_ITEMS, _CLASSES, _COLUMNS = 10, 3, 4


def predict_rows(
    rows: Path | None, run: Path | None, *, number: int | None, url: str | None, protocol: str, model: str | None
) -> None:
    """Sends rows to a server and prints a table: the scores of each target, or recommended items with their scores.

    Args:
        rows: File of raw rows.
        run: Folder of a run, whose test split provides rows instead.
        number: Maximum number of rows; None for all of a file, or a few of a run.
        url: Host and port; None for the usual port of this machine.
        protocol: `grpc` or `http`.
        model: Name of the ensemble; None for the only one on the server.

    Raises:
        EmrysError: if there are no rows, or the server cannot be reached or refuses the request.
    """
    if (rows is None) == (run is None):
        raise ConfigError("one of --rows FILE and --from DIR is needed", got="both" if rows else "none")
    with EnsembleClient(url or f"localhost:{_PORTS[protocol]}", protocol, model) as client:
        columns = client.columns
        labels: tuple[str, ...] = ()
        if rows is not None:
            sent = read_rows(rows, columns, client.time_units)[:number]
        else:
            sent, labels = _sample(run or Path(), number or _SAMPLE)
        if client.recommends:
            # The labels belong to the items of the rows, so they say nothing about recommended items.
            labels, results = (), {"items (scores)": [_formatted(items) for items in client.recommend(sent)]}
        else:
            results = {
                name: _formatted_scores(scores, client.classes.get(name, ()))
                for name, scores in client.predict_all(sent).items()
            }
    scalar = [column.name for column in columns if not column.is_list]
    _print(sent, [*scalar[:_COLUMNS], *labels], results)


def _sample(run: Path, number: int) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Takes rows at even distances from the test split of a run; returns them and the names of the targets."""
    splits = Splits(artifacts_of(run)["splits"])
    table = splits.read("test")
    step = max(1, len(table) // number)
    rows = table.take(list(range(0, len(table), step))[:number]).to_pylist()
    return rows, tuple(target.name for target in splits.data_schema.targets)


def _formatted(items: list[Recommendation]) -> str:
    """Formats the best items, and the number of the others."""
    shown = [f"{one.item} ({one.score:.4f})" for one in items[:_ITEMS]]
    more = len(items) - len(shown)
    return ", ".join(shown + ([f"and {more} more"] if more else [])) or "none"


def _formatted_scores(scores: npt.NDArray[np.float32], classes: Sequence[int | str]) -> list[str]:
    """Formats scores, (B,), or the most likely classes with their probabilities, (B, C)."""
    if scores.ndim == 1:
        return [f"{score:.4f}" for score in scores]
    best = np.argsort(-scores, axis=1, kind="stable")[:, :_CLASSES]
    return [
        ", ".join(f"{classes[number] if classes else number} ({row[number]:.4f})" for number in order)
        for row, order in zip(scores, best, strict=True)
    ]


def _print(rows: list[dict[str, Any]], columns: list[str], results: Mapping[str, Sequence[str]]) -> None:
    headings = [f"{name} (predicted)" if name in columns else name for name in results]
    table = Table(*columns, *headings)
    for number, row in enumerate(rows):
        shown = (row.get(name) for name in columns)
        table.add_row(
            *("" if value is None else str(value) for value in shown), *(one[number] for one in results.values())
        )
    Console(highlight=False, markup=False).print(table)
