"""Files in Cloud Storage, on a real emulator of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import storage

from emrys.blocks.errors import DataError
from emrys.blocks.loader import Loader
from tests.components.storage.emulator import BUCKET, emulator

FOLDER = f"gs://{BUCKET}/clicks"


@pytest.fixture(scope="module")
def bucket() -> Iterator[storage.Bucket]:
    """Three parts of two rows, and what a loader must pass over."""
    with pytest.MonkeyPatch.context() as patch, emulator(patch) as running:
        # Arrow holds Python's lock while it opens a file, so that a server in this process could not answer.
        patch.setenv("STORAGE_EMULATOR_HOST", running.direct)
        output = storage.Client().bucket(BUCKET)
        for part in (1, 2, 10):
            file = io.BytesIO()
            pq.write_table(pa.table({"id": [2 * part, 2 * part + 1]}), file)
            output.blob(f"clicks/part_{part}.parquet").upload_from_string(file.getvalue())
        output.blob("clicks/notes.txt").upload_from_string(b"nothing to read")
        output.blob("empty/notes.txt").upload_from_string(b"nothing to read")
        yield output


def ids(loader: Loader) -> list[int]:
    return [int(number) for features, _ in loader for number in features["id"].numpy()[:, 0]]


@pytest.mark.slow
def test_a_folder_a_file_a_list_and_a_pattern(bucket: storage.Bucket) -> None:
    everything = [2, 3, 4, 5, 20, 21]
    assert ids(Loader(FOLDER, 4, shuffle=False)) == everything
    assert ids(Loader(f"{FOLDER}/", 4, shuffle=False)) == everything
    assert ids(Loader(f"{FOLDER}/part_2.parquet", 4)) in ([4, 5], [5, 4])
    assert ids(Loader([f"{FOLDER}/part_10.parquet", f"{FOLDER}/part_1.parquet"], 4, shuffle=False)) == [20, 21, 2, 3]
    assert ids(Loader(f"{FOLDER}/part_1*.parquet", 4, shuffle=False)) == [2, 3, 20, 21]
    assert sorted(ids(Loader(FOLDER, 4))) == everything


def test_missing_columns_are_named(bucket: storage.Bucket) -> None:
    with pytest.raises(DataError, match=f"{FOLDER}/no.parquet: the path does not exist; expected a Parquet file"):
        Loader(f"{FOLDER}/no.parquet", 4)
    with pytest.raises(DataError, match=f"gs://{BUCKET}/empty: the folder has no Parquet file"):
        Loader(f"gs://{BUCKET}/empty", 4)
    with pytest.raises(DataError, match=r"gs://.*/clicks/other_\*: no file matches"):
        Loader(f"{FOLDER}/other_*", 4)
    with pytest.raises(DataError, match="gs://no-such-bucket/clicks: "):
        Loader("gs://no-such-bucket/clicks", 4)


def test_a_damaged_file_is_named(bucket: storage.Bucket) -> None:
    bucket.blob("damaged/part.parquet").upload_from_string(b"PAR1")
    with pytest.raises(DataError, match=f"{BUCKET}/damaged/part.parquet: the file is not a complete Parquet file"):
        Loader(f"gs://{BUCKET}/damaged", 4)
    local = Path(__file__)
    with pytest.raises(DataError, match="the file is not a complete Parquet file"):
        Loader(local, 4)
