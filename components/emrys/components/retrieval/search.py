"""What a retrieval model recommends, and the vectors that it compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from merlin.schema import ColumnSchema, Schema

import emrys.blocks as mm
from emrys.blocks.retrieval.encoding import encode_frame
from emrys.blocks.retrieval.seen_items import SEEN_ITEMS
from emrys.blocks.workflow import FIRST_KNOWN
from emrys.components.retrieval.lists import Lists

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
    model: Any, schema: Schema, queries: pa.Table, items: pa.Table, item: str, seen: Lists, layer: Any, batch_size: int
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
    encoder: Any, schema: Schema, queries: pa.Table, items: pa.Table, item: str, seen: Lists, batch_size: int
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
