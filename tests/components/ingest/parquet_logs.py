"""Small rating logs as a user may bring them."""

import pyarrow as pa
import pyarrow.parquet as pq


def columns(rows=20):
    """Ratings 2 and 4 by turns, one a second from 1,000 on."""
    return {
        "userId": [1 + i % 3 for i in range(rows)],
        "movieId": list(range(rows)),
        "timestamp": list(range(1000, 1000 + rows)),
        "rating": [2.0, 4.0] * (rows // 2),
        "title": [f"Film {i}" for i in range(rows)],
        "genres": [["Drama"], ["War", "Crime"]] * (rows // 2),
        "release_year": [1990.0] * rows,
        "gender": ["F"] * rows,
        "age": [30] * rows,
        "occupation": ["artist"] * rows,
        "zipcode": ["12345"] * rows,
    }


def write(path, rows=20, drop=(), **replaced):
    kept = {name: values for name, values in {**columns(rows), **replaced}.items() if name not in drop}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(kept), path)
    return path
