"""The page that goes with an exported retrieval repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emrys.components.export_ensemble.columns import Column
from emrys.components.export_ensemble.readme import inputs_table, versions_table
from emrys.components.export_ensemble.recommendation import NO_SCORE
from emrys.components.export_retrieval.config import ExportRetrievalConfig

_PAGE = """\
# {name}: a Triton ensemble that recommends items

`models/` is a model repository: `{name}` takes raw queries and gives `item_ids` and `scores`, by way of
`{name}_transform` and `{name}_model`. Serve it with `emrys serve` and this folder, or with any Triton server that has
the Python backend and this project on its PYTHONPATH: `tritonserver --model-repository=models`.

A request holds up to {max_batch_size} rows. Scalars have the shape (rows, 1), lists (rows, length), padded on the
right with null. Values that were not seen in training are welcome everywhere.

| input | dtype | shape | null |
|---|---|---|---|
{inputs}

| output | dtype | shape | |
|---|---|---|---|
| item_ids | {item_dtype} | (rows, {k}) | items as they are called in the data, best first |
| scores | float32 | (rows, {k}) | their scores, falling |

Items that the user has had in the data, by `{user}`, are left out{histories}. Where fewer than {k} items remain, the
rest of `item_ids` is null ({null}), and the rest of `scores` {no_score:.8g}, the lowest float32: a list ends at the
first null. The catalogue has {items} items, searched {search}.

| made from | |
|---|---|
{versions}
"""


def readme(
    config: ExportRetrievalConfig,
    inputs: Sequence[Column],
    versions: Mapping[str, str],
    *,
    user: str,
    histories: Sequence[str],
    item_dtype: str,
    k: int,
    items: int,
    exact: bool,
) -> str:
    """Text of the page.

    Args:
        config: Settings of the export.
        inputs: What the ensemble takes.
        versions: Versions and fingerprints of what it was made from.
        user: Column of the user's id.
        histories: Columns of histories.
        item_dtype: `int64` or `string`.
        k: Items that a row gets.
        items: Number of items.
        exact: Whether the search is exact.
    """
    listed = ", ".join(f"`{name}`" for name in histories)
    return _PAGE.format(
        name=config.name,
        max_batch_size=config.max_batch_size,
        inputs=inputs_table(inputs),
        versions=versions_table(versions),
        user=user,
        histories=f", and so are those of {listed} in the request" if listed else "",
        item_dtype=item_dtype,
        k=k,
        items=f"{items:,}",
        search="exactly" if exact else "approximately",
        no_score=NO_SCORE,
        null="-9223372036854775808" if item_dtype == "int64" else "the empty string",
    )
