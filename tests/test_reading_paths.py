"""Number of library files that run for five questions of a reader, and the reading lists of docs/architecture.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
SOURCE = "blocks/emrys/blocks"

#: The most files that may run for each question; the answers on the page name at most eight of them.
LIMITS = {
    "How is the loss computed in `fit`?": 15,
    "How is a two-tower model built?": 28,
    "How does a two-tower model train with a sampler?": 20,
    "How does a saved model come back?": 18,
    "How is top-k evaluated?": 26,
}

#: Runs the five, and prints the files of `emrys.blocks` whose functions were called, by question.
PROGRAM = r"""
import json, os, sys, tempfile, threading
import keras, numpy as np, pandas as pd
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags
import emrys.blocks as mm

ROOT = os.path.dirname(mm.__file__)
QUESTIONS = json.loads(sys.argv[1])
FOUND = {}


def traced(question, function):
    seen = set()

    def hook(frame, event, argument):
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(ROOT) and frame.f_code.co_name != "<module>":
            seen.add(os.path.relpath(name, ROOT))

    threading.setprofile(hook)
    sys.setprofile(hook)
    try:
        return function()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        FOUND[question] = sorted(seen)


def ids(name, *tags):
    domain = {"min": 0, "max": 50, "name": name}
    return ColumnSchema(name, dtype=np.int64, tags=[Tags.CATEGORICAL, *tags], properties={"domain": domain})


items = Schema([
    ids("user_id", Tags.USER, Tags.USER_ID), ids("age", Tags.USER), ids("item_id", Tags.ITEM, Tags.ITEM_ID),
    ids("genre", Tags.ITEM), ColumnSchema("price", dtype=np.float32, tags=[Tags.CONTINUOUS, Tags.ITEM]),
])
click = ColumnSchema("click", dtype=np.int64, tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])
draw, rows = np.random.default_rng(0), 256
frame = pd.DataFrame({name: draw.integers(1, 50, rows) for name in ("user_id", "age", "item_id", "genre")})
frame["price"] = draw.random(rows).astype("float32")
clicks = frame.assign(click=draw.integers(0, 2, rows))

model = mm.DLRMModel(
    items + Schema([click]), embedding_dim=8, bottom_block=mm.MLPBlock([8]), top_block=mm.MLPBlock([8]),
    prediction_tasks=mm.BinaryOutput("click"),
)
model.compile("adam", run_eagerly=True)
batch = mm.sample_batch(Dataset(clicks, schema=items + Schema([click])), batch_size=64)
model(batch[0])
traced(QUESTIONS[0], lambda: model.train_step(batch))


def build():
    query = mm.Encoder(items.select_by_tag(Tags.USER), mm.MLPBlock([8]))
    candidate = mm.Encoder(items.select_by_tag(Tags.ITEM), mm.MLPBlock([8]))
    towers = mm.TwoTowerModelV2(query, candidate)
    towers.compile("adam", run_eagerly=True)
    return towers


towers = traced(QUESTIONS[1], build)
data = Dataset(frame, schema=items)
loader = mm.Loader(data, batch_size=64, shuffle=False)
first = next(iter(loader))
towers.fit(loader, epochs=1, verbose=0)
traced(QUESTIONS[2], lambda: towers.train_step(first))
with tempfile.TemporaryDirectory() as folder:
    model.save(os.path.join(folder, "model.keras"))
    traced(QUESTIONS[3], lambda: keras.saving.load_model(os.path.join(folder, "model.keras")))
top_k = towers.to_top_k_encoder(mm.unique_rows_by_features(data, Tags.ITEM, Tags.ITEM_ID), k=5, batch_size=64)
top_k.compile(run_eagerly=True)
queries = mm.Loader(data, batch_size=64, shuffle=False).map(mm.ToTarget(items, "item_id"))
traced(QUESTIONS[4], lambda: top_k.evaluate(queries, verbose=0))
print(json.dumps(FOUND))
"""


@pytest.fixture(scope="module")
def executed() -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(list(LIMITS))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def reading_lists() -> dict[str, list[str]]:
    """The files that the page lists under each question, in order."""
    sections = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        title, _, body = section.partition("\n")
        if title in LIMITS:
            found[title] = re.findall(rf"^\d+\. `{SOURCE}/([\w/]+\.py)`", body, re.MULTILINE)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("question", LIMITS)
def test_few_files_run(executed, question):
    assert len(executed[question]) <= LIMITS[question], executed[question]


@pytest.mark.parametrize("question", LIMITS)
@pytest.mark.slow
def test_the_page_answers_with_files_that_run(executed, question):
    files = reading_lists()[question]
    assert 0 < len(files) <= 8
    assert len(set(files)) == len(files)
    assert [file for file in files if not (ROOT / SOURCE / file).is_file()] == []
    assert [file for file in files if file not in executed[question]] == []
