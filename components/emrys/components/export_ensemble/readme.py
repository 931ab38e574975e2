"""The page that goes with an exported repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emrys.components.export_ensemble.columns import Column
from emrys.components.export_ensemble.config import ExportConfig

_NULLS = {"int64": "-9223372036854775808", "float32": "NaN", "string": "the empty string"}

_PAGE = """\
# {name}: a Triton ensemble

`models/` is a model repository: `{name}` takes raw rows and gives `score`, by way of `{name}_transform` and
`{name}_model`. Serve it with `emrys serve` and this folder, or with any Triton server that has the Python backend
and this project on its PYTHONPATH: `tritonserver --model-repository=models`.

A request holds up to {max_batch_size} rows. Scalars have the shape (rows, 1), lists (rows, length), padded on the
right with null. Values that were not seen in training are welcome everywhere.

| input | dtype | shape | null |
|---|---|---|---|
{inputs}

The output `score` is FP32, (rows, 1).

| made from | |
|---|---|
{versions}
"""


def readme(config: ExportConfig, inputs: Sequence[Column], versions: Mapping[str, str]) -> str:
    """Text of the page.

    Args:
        config: Settings of the export.
        inputs: What the ensemble takes.
        versions: Versions and fingerprints of what it was made from.
    """
    return _PAGE.format(
        name=config.name,
        max_batch_size=config.max_batch_size,
        inputs=inputs_table(inputs),
        versions=versions_table(versions),
    )


def inputs_table(inputs: Sequence[Column]) -> str:
    """The rows of the table of inputs: name, dtype, shape and null of each."""
    return "\n".join(
        f"| {column.name} | {column.dtype} | {'(rows, length)' if column.is_list else '(rows, 1)'} | {_null(column)} |"
        for column in inputs
    )


def versions_table(versions: Mapping[str, str]) -> str:
    """The rows of the table of versions."""
    return "\n".join(f"| {name} | {version} |" for name, version in versions.items())


def _null(column: Column) -> str:
    return f"only padding ({_NULLS[column.dtype]})" if column.is_list else _NULLS[column.dtype]
