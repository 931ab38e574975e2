"""The columns of a rating log, equal for all data sets."""

from __future__ import annotations

import pyarrow as pa

#: One row per rating. `timestamp` is in seconds since 1970. Feature columns can have nulls; a movie without a known
#: genre has an empty list. The first four columns have no nulls.
LOG_SCHEMA = pa.schema(
    [
        pa.field("userId", pa.int64()),
        pa.field("movieId", pa.int64()),
        pa.field("timestamp", pa.int64()),
        pa.field("rating", pa.float32()),
        pa.field("title", pa.string()),
        pa.field("genres", pa.list_(pa.string())),
        pa.field("release_year", pa.float32()),
        pa.field("gender", pa.string()),
        pa.field("age", pa.int64()),
        pa.field("occupation", pa.string()),
        pa.field("zipcode", pa.string()),
    ]
)

#: What each column is: an id, the time, what a target is made of, or a feature of the user or the item.
LOG_ROLES = {
    "userId": "user_id",
    "movieId": "item_id",
    "timestamp": "time",
    "rating": "source",
    **dict.fromkeys(("title", "genres", "release_year"), "item"),
    **dict.fromkeys(("gender", "age", "occupation", "zipcode"), "user"),
}

#: The columns that every rating must have.
REQUIRED_COLUMNS = ("userId", "movieId", "timestamp", "rating")
