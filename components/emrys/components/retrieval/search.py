"""Search for the best items of each query, by a top-k encoder or by scores in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from merlin.schema import ColumnSchema, Schema

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError
from emrys.blocks.retrieval.encoding import encode_frame
from emrys.blocks.retrieval.seen_items import SEEN_ITEMS
from emrys.blocks.workflow import FIRST_KNOWN
from emrys.components.contracts.model import ModelArtifact
from emrys.components.retrieval.ragged_array import RaggedArray

Ints = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

_SEEN = ColumnSchema(SEEN_ITEMS, dtype="int64", is_list=True, is_ragged=True)
#: Most scores in memory at once.
_BLOCK = 8_000_000


@dataclass(frozen=True)
class Recommendations:
    """The best items of each query.

    Attributes:
        items: (Q, K) positions of the items in the catalogue, best first; -1 for none.
        scores: (Q, K) their scores.
    """

    items: Ints
    scores: Vectors


def load_retrieval_model(artifact: ModelArtifact) -> mm.RetrievalModelV2:
    """Loads the compiled retrieval model of an artifact.

    Raises:
        ArtifactError: if Keras cannot read it, or it is not a retrieval model.
    """
    model = artifact.load()
    if not isinstance(model, mm.RetrievalModelV2):
        raise ArtifactError(
            "the model is not a retrieval model",
            path=artifact.path,
            expected="RetrievalModelV2",
            got=type(model).__name__,
        )
    return model


def recommend(
    model: mm.RetrievalModelV2,
    schema: Schema,
    queries: pa.Table,
    items: pa.Table,
    item: str,
    seen: RaggedArray,
    layer: Any,
    batch_size: int,
) -> Recommendations:
    """Recommends the best items of a catalogue for each query, through the model's `TopKEncoder`.

    Args:
        model: The retrieval model.
        schema: Schema of the transformed rows.
        queries: Q transformed rows, one for each query.
        items: N transformed rows, one for each item; items without an id of their own are not recommended.
        item: Column of the item id.
        seen: Rows of `items` that each query must not return.
        layer: A top-k layer with K; it gets the items.
        batch_size: Rows of a batch.
    """
    encoder = top_k_encoder(model, items, item, layer, batch_size)
    return search_items(encoder, schema, queries, items, item, seen, batch_size)


def top_k_encoder(model: mm.RetrievalModelV2, items: pa.Table, item: str, layer: Any, batch_size: int) -> Any:
    """Builds the `TopKEncoder` of a model over a catalogue; see `recommend`."""
    known = np.flatnonzero(items[item].to_numpy() >= FIRST_KNOWN)
    layer.k = min(layer.k, len(known))
    return model.to_top_k_encoder(
        items.take(pa.array(known)), candidate_id=item, strategy=layer, k=layer.k, batch_size=batch_size
    )


def search_items(
    encoder: Any, schema: Schema, queries: pa.Table, items: pa.Table, item: str, seen: RaggedArray, batch_size: int
) -> Recommendations:
    """Searches the best items of each query with a `top_k_encoder`; see `recommend`."""
    ids = items[item].to_numpy()
    known = np.flatnonzero(ids >= FIRST_KNOWN)
    lists = pa.LargeListArray.from_arrays(pa.array(seen.offsets), pa.array(ids[seen.values]))
    columns = list(encoder.input_schema.column_names)
    table = queries.select(columns).append_column(SEEN_ITEMS, lists)
    loaded = Schema([*schema.select_by_name(columns), _SEEN])
    top = encoder.predict(mm.Loader(table, batch_size, label_names=[], schema=loaded, shuffle=False), verbose=0)
    position = np.full(int(ids.max()) + 2, -1, np.int64)  # index -1, the last element, is "none"
    position[ids[known]] = known
    return Recommendations(position[np.asarray(top.identifiers)], np.asarray(top.scores))


def vectors(
    model: mm.RetrievalModelV2, queries: pa.Table, items: pa.Table, item: str, batch_size: int
) -> tuple[Vectors, Vectors]:
    """Vectors of the queries (Q, D) and of the items (N, D), whose inner products are the scores; see `recommend`."""
    query_vectors = encode_frame(model.query_encoder, queries, batch_size=batch_size, keep=[]).to_numpy(np.float32)
    frame = model.candidate_embeddings(items, index=item, batch_size=batch_size).to_ddf()
    return query_vectors, frame.compute(scheduler="synchronous").to_numpy(np.float32)


def query_columns(model: mm.RetrievalModelV2) -> list[str]:
    """Input columns of the query encoder."""
    return list(model.query_encoder.input_schema.column_names)


def top_rows(score: Callable[[int, int], npt.NDArray[Any]], seen: RaggedArray, items: int, k: int) -> Ints:
    """Selects the k items with the highest scores of each query, without the items that it has seen.

    Args:
        score: Returns the (B, N) scores of the queries from one number up to, but not including, another.
        seen: Positions of the items to leave out.
        items: Number of items, N.
        k: Number of items to select.

    Returns:
        (Q, at most k) positions, best first, ties by the lower position; -1 if there are fewer than k.
    """
    step = max(1, _BLOCK // max(1, items))
    kept = min(k, items)
    top = np.empty((len(seen), kept), np.int64)
    for start in range(0, len(seen), step):
        stop = min(start + step, len(seen))
        scores = np.array(score(start, stop), np.float64)
        left_out = seen.slice(start, stop)
        scores[left_out.rows, left_out.values] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
        best = np.take_along_axis(scores, order, axis=1)
        top[start:stop] = np.where(np.isneginf(best), -1, order)
    return top
