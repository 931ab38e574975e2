"""What a retrieval model recommends, and the vectors that it compares."""

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


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        places: Places of the recommended items, best first, (Q, K); -1 for none.
        scores: Their scores, (Q, K).
    """

    places: Ints
    scores: Vectors


def recommend(
    model: Any,
    schema: Schema,
    queries: pa.Table,
    items: pa.Table,
    item: str,
    seen: RaggedArray,
    layer: Any,
    batch_size: int,
) -> Found:
    """Gives the best items of a catalogue for each query, through the model's `TopKEncoder`.

    Args:
        model: A `RetrievalModelV2`.
        schema: Schema of the transformed rows.
        queries: Transformed rows, one for each query, (Q).
        items: Transformed rows, one for each item, (N); those without an id of their own are not found.
        item: Column of the item's id.
        seen: Rows of `items` to leave out of each query's results.
        layer: A top-k layer, which takes the items and knows K.
        batch_size: Rows of a batch.
    """
    encoder = indexed(model, items, item, layer, batch_size)
    return found_by(encoder, schema, queries, items, item, seen, batch_size)


def indexed(model: Any, items: pa.Table, item: str, layer: Any, batch_size: int) -> Any:
    """The model's `TopKEncoder` over a catalogue, which the layer takes; see `recommend`."""
    known = np.flatnonzero(items[item].to_numpy() >= FIRST_KNOWN)
    layer.k = min(layer.k, len(known))
    return model.to_top_k_encoder(
        items.take(pa.array(known)), candidate_id=item, strategy=layer, k=layer.k, batch_size=batch_size
    )


def found_by(
    encoder: Any, schema: Schema, queries: pa.Table, items: pa.Table, item: str, seen: RaggedArray, batch_size: int
) -> Found:
    """What the encoder that `indexed` made finds for each query; see `recommend`."""
    ids = items[item].to_numpy()
    known = np.flatnonzero(ids >= FIRST_KNOWN)
    lists = pa.LargeListArray.from_arrays(pa.array(seen.offsets), pa.array(ids[seen.values]))
    wanted = list(encoder.input_schema.column_names)
    table = queries.select(wanted).append_column(SEEN_ITEMS, lists)
    read = Schema([*schema.select_by_name(wanted), _SEEN])
    found = encoder.predict(mm.Loader(table, batch_size, label_names=[], schema=read, shuffle=False), verbose=0)
    place = np.full(int(ids.max()) + 2, -1, np.int64)  # the last stands for none
    place[ids[known]] = known
    return Found(place[np.asarray(found.identifiers)], np.asarray(found.scores))


def vectors(model: Any, queries: pa.Table, items: pa.Table, item: str, batch_size: int) -> tuple[Vectors, Vectors]:
    """The vectors of queries (Q, D) and of items (N, D), whose products are the scores; see `recommend`."""
    made = encode_frame(model.query_encoder, queries, batch_size=batch_size, keep=[]).to_numpy(np.float32)
    frame = model.candidate_embeddings(items, index=item, batch_size=batch_size).to_ddf()
    return made, frame.compute(scheduler="synchronous").to_numpy(np.float32)


def query_columns(model: Any) -> list[str]:
    """Columns that the model's query encoder reads."""
    return list(model.query_encoder.input_schema.column_names)


#: Scores that are held at once.
_BLOCK = 8_000_000


def top_rows(score: Callable[[int, int], npt.NDArray[Any]], seen: RaggedArray, items: int, k: int) -> Ints:
    """The K items with the highest scores of each query, without those that were seen.

    Args:
        score: Gives the scores of the queries from one number to before another, (B, N).
        seen: Places of the items to leave out.
        items: Number of items, N.
        k: K.

    Returns:
        Places (Q, at most K), best first, among equal scores the lower place; -1 where there are not K.
    """
    step = max(1, _BLOCK // max(1, items))
    kept = min(k, items)
    found = np.empty((len(seen), kept), np.int64)
    for start in range(0, len(seen), step):
        stop = min(start + step, len(seen))
        scores = np.array(score(start, stop), np.float64)
        left_out = seen.slice(start, stop)
        scores[left_out.rows, left_out.values] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
        best = np.take_along_axis(scores, order, axis=1)
        found[start:stop] = np.where(np.isneginf(best), -1, order)
    return found


def retrieval_model(network: ModelArtifact) -> mm.RetrievalModelV2:
    """The model of an artifact, compiled as it was.

    Raises:
        ArtifactError: if Keras cannot read it, or it does not find items.
    """
    model = network.load()
    if not isinstance(model, mm.RetrievalModelV2):
        raise ArtifactError(
            "the model does not find items", path=network.path, expected="a retrieval model", got=type(model).__name__
        )
    return model
