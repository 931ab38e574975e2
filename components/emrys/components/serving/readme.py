"""The README.md of an exported repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emrys.components.serving.columns import NULL_INT64, Column
from emrys.components.serving.config import EnsembleConfig
from emrys.components.serving.recommendation import NO_SCORE
from emrys.components.serving.score_outputs import ScoreOutput

_NULLS = {"int64": str(NULL_INT64), "float32": "NaN", "string": "the empty string"}

_RANKING = """\
# {name}: a Triton ensemble

`models/` is a model repository: `{name}` takes raw rows and returns {listed}, through `{name}_transform` and
`{name}_model`. Serve it with `emrys serve` and this folder, or with any Triton server that has the Python backend
and this project on its PYTHONPATH: `tritonserver --model-repository=models`.

A request contains up to {max_batch_size} rows. Scalars have the shape (rows, 1), lists (rows, length), padded on the
right with null. Every column accepts values that were not seen in training.

| input | dtype | shape | null |
|---|---|---|---|
{inputs}

Over HTTP, `null` in the JSON `data` of an input stands for the null of its dtype, also as an element of a list.

| output | dtype | shape | |
|---|---|---|---|
{outputs}

| exported from | |
|---|---|
{versions}
"""

_RETRIEVAL = """\
# {name}: a Triton ensemble that recommends items

`models/` is a model repository: `{name}` takes raw queries and returns `item_ids` and `scores`, through
`{name}_transform` and `{name}_model`. Serve it with `emrys serve` and this folder, or with any Triton server that has
the Python backend and this project on its PYTHONPATH: `tritonserver --model-repository=models`.

A request contains up to {max_batch_size} rows. Scalars have the shape (rows, 1), lists (rows, length), padded on the
right with null. Every column accepts values that were not seen in training.

| input | dtype | shape | null |
|---|---|---|---|
{inputs}

Over HTTP, `null` in the JSON `data` of an input stands for the null of its dtype, also as an element of a list.

| output | dtype | shape | |
|---|---|---|---|
| item_ids | {item_dtype} | (rows, {k}) | ids of items as in the data, best first |
| scores | float32 | (rows, {k}) | their scores, in descending order |

{seen} Where fewer than {k} items remain, the
rest of `item_ids` is null ({null}), and the rest of `scores` is {no_score:.8g}, the lowest float32: a list ends at the
first null. The catalogue has {items:,} items, searched {search}.

| exported from | |
|---|---|
{versions}
"""


def ranking_readme(
    config: EnsembleConfig, inputs: Sequence[Column], outputs: Sequence[ScoreOutput], versions: Mapping[str, str]
) -> str:
    """Writes the page about a ranking ensemble.

    Args:
        config: Settings of the export.
        inputs: Inputs of the ensemble.
        outputs: Outputs of the ensemble.
        versions: Versions and fingerprints of the inputs of the export.
    """
    return _RANKING.format(
        name=config.name,
        listed=", ".join(f"`{output.name}`" for output in outputs),
        outputs="\n".join(
            f"| {output.name} | float32 | (rows, {output.column.width}) | {output.description} |" for output in outputs
        ),
        max_batch_size=config.max_batch_size,
        inputs=_inputs_table(inputs),
        versions=_versions_table(versions),
    )


def retrieval_readme(
    config: EnsembleConfig,
    inputs: Sequence[Column],
    versions: Mapping[str, str],
    *,
    user: str | None,
    histories: Sequence[str],
    item_dtype: str,
    k: int,
    items: int,
    exact: bool,
) -> str:
    """Writes the page about a retrieval ensemble.

    Args:
        config: Settings of the export.
        inputs: Inputs of the ensemble.
        versions: Versions and fingerprints of the inputs of the export.
        user: Column of the user's id, whose seen items are excluded; None if no one's are.
        histories: Columns of histories whose items are excluded.
        item_dtype: `int64` or `string`.
        k: Number of items per row.
        items: Number of items in the catalogue.
        exact: Whether the search is exact.
    """
    return _RETRIEVAL.format(
        name=config.name,
        max_batch_size=config.max_batch_size,
        inputs=_inputs_table(inputs),
        versions=_versions_table(versions),
        seen=_seen(user, histories),
        item_dtype=item_dtype,
        k=k,
        items=items,
        search="exactly" if exact else "approximately",
        no_score=NO_SCORE,
        null=_NULLS[item_dtype],
    )


def _seen(user: str | None, histories: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in histories)
    if user is None:
        return f"Items of {listed} in the request are excluded." if listed else "Items that were seen are not excluded."
    also = f", and so are those of {listed} in the request" if listed else ""
    return f"Items that the user has seen in the data, by `{user}`, are excluded{also}."


def _inputs_table(inputs: Sequence[Column]) -> str:
    return "\n".join(
        f"| {column.name} | {column.dtype} | (rows, {column.width or 'length'}) | {_null(column)} |"
        for column in inputs
    )


def _versions_table(versions: Mapping[str, str]) -> str:
    return "\n".join(f"| {name} | {version} |" for name, version in versions.items())


def _null(column: Column) -> str:
    return _NULLS[column.dtype] if column.width is not None else f"only padding ({_NULLS[column.dtype]})"
