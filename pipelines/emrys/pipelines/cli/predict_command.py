"""Implementation of `emrys predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.splits import TARGET, Splits
from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.recommendation import Recommendation
from emrys.pipelines.cli.row_file import read_rows
from emrys.pipelines.local.outcome import artifacts_of

_PORTS = {"grpc": 8001, "http": 8000}
_SAMPLE = 5
#: Number of recommended items printed for a row.
_ITEMS = 10


def predict_rows(
    rows: Path | None, run: Path | None, *, number: int | None, url: str | None, protocol: str, model: str | None
) -> None:
    """Sends rows to a server and prints a table of scores, or of recommended items with their scores.

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
        sent = read_rows(rows, columns)[:number] if rows is not None else _sample(run or Path(), number or _SAMPLE)
        if client.recommends:
            heading, results = "items (scores)", [_formatted(items) for items in client.recommend(sent)]
        else:
            heading, results = "score", [f"{score:.4f}" for score in client.predict(sent)]
    scalar = [column.name for column in columns if not column.is_list]
    _print(sent, heading, results, scalar[:4])


def _sample(run: Path, number: int) -> list[dict[str, Any]]:
    """Takes rows at even distances from the test split of a run."""
    table = Splits(artifacts_of(run)["splits"]).read("test")
    step = max(1, len(table) // number)
    return table.take(list(range(0, len(table), step))[:number]).to_pylist()


def _formatted(items: list[Recommendation]) -> str:
    """Formats the best items, and the number of the others."""
    shown = [f"{one.item} ({one.score:.4f})" for one in items[:_ITEMS]]
    more = len(items) - len(shown)
    return ", ".join(shown + ([f"and {more} more"] if more else [])) or "none"


def _print(rows: list[dict[str, Any]], heading: str, results: list[str], columns: list[str]) -> None:
    # The label belongs to the item of the row, so it says nothing about recommended items.
    labelled = heading == "score" and any(TARGET in row for row in rows)
    table = Table(*columns, *([TARGET] if labelled else []), heading)
    for row, text in zip(rows, results, strict=True):
        shown = [row.get(name) for name in columns] + ([row.get(TARGET)] if labelled else [])
        table.add_row(*("" if value is None else str(value) for value in shown), text)
    Console(highlight=False, markup=False).print(table)
