"""Time of a training step against the number of rows in all embedding tables.

Run: python -m benchmarks.step_time [--rows 10000 10000000] [--ids popularity|even] [--pages both|default|small]
    [--model dlrm|embeddings] [--released PYTHON]

DLRM on columns as those of the Criteo logs, 13 numbers and 26 ids, with 16 values a row. Ids are drawn by popularity,
as they come in logs: the n-th id with a chance of 1 / n; with `--ids even` all have the same chance. How much of a step
the tables take depends on the rest of the model: `--model embeddings` has next to none, only one dense layer.

A step with large tables can take longer for three reasons, measured one by one:

- Work that grows with the tables. There is none here but with the dense optimizer.
- A batch has more different rows: 1,024 draws from 384 ids repeat themselves, draws from 384,615 hardly do. The column
  "same rows" is a model with tables as small as can be, that gets the batches of the large one with its ids numbered
  anew: as many different rows in each batch, as often, but all close together.
- These rows are far apart, and come from main memory. The processor finds each of them through the page table, far too
  large for its caches if a page has 4 KiB. So tables are put into pages of 2 MiB, as the train step does
  (`emrys.blocks.utils.huge_pages`). The second table shows what that is worth: the same with the kernel asked to give
  this process none, in a process of its own.

`--released` is the Python of an environment with Merlin Models, whose DLRM with its default Adam is then measured too.

All sizes are measured in one process in turn, some steps of each, on machines that others use too: medians are printed,
and ratios are medians of those of single turns.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.utils.huge_pages import prefer_huge_pages, prefer_huge_pages_for_training

TABLES = 26
NUMBERS = 13
DIM = 16
BOTTOM = [64, DIM]
TOP = [128, 64, 32]
BATCHES = 64
#: Steps at the start of each turn that are not counted: the caches still hold what was measured before.
WARM = 3
#: Optimizers as `compile` takes them; None is its default.
LAZY = {"default (LazyAdam)": None, "adagrad": "adagrad", "sgd": "sgd"}
DENSE = {"adam, dense": "adam"}
RELEASED = "Merlin Models, adam"
PAGES = ["default", "small"]
#: Of linux/prctl.h: no large pages for this process.
PR_SET_THP_DISABLE = 41


def arrays(ids: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Columns of the data by name, each (rows of data, 1), the target last."""
    draw = np.random.default_rng(1)
    columns = {f"C{number}": ids[:, number, None] for number in range(TABLES)}
    columns |= {f"I{number}": draw.normal(size=(len(ids), 1)).astype("float32") for number in range(NUMBERS)}
    return {**columns, "click": draw.integers(0, 2, (len(ids), 1)).astype("float32")}


def make_model(kind: str, rows: int) -> mm.Model:
    """DLRM, or as little as a model can be beside its tables."""
    ids = [mm.create_categorical_column(f"C{number}", rows - 1) for number in range(TABLES)]
    numbers = [ColumnSchema(f"I{number}", tags=[Tags.CONTINUOUS]) for number in range(NUMBERS)]
    schema = Schema([*ids, *numbers, ColumnSchema("click", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])])
    if kind == "embeddings":
        inputs = mm.Embeddings(Schema(ids), dim=DIM, aggregation="concat")
        return mm.Model(inputs, mm.MLPBlock([64]), mm.OutputBlock(schema))
    return mm.DLRMModel(schema, embedding_dim=DIM, bottom_block=mm.MLPBlock(BOTTOM), top_block=mm.MLPBlock(TOP))


class Trained:
    """A model with batches to train it on.

    Args:
        ids: Ids of every table, (rows of data, tables).
        rows: Rows of each table.
        optimizer: What `compile` takes.
        batch_size: Rows of a batch.
        kind: What `make_model` takes.
    """

    def __init__(self, ids: np.ndarray[Any, Any], rows: int, optimizer: Any, batch_size: int, kind: str) -> None:
        features = arrays(ids)
        targets = {"click": features.pop("click")}
        self.model = make_model(kind, rows)
        self.model.compile(optimizer)
        self.model.build({name: (None, 1) for name in features})
        prefer_huge_pages_for_training(self.model)
        data = tf.data.Dataset.from_tensor_slices((features, targets)).batch(batch_size).cache().repeat()
        self.model.fit(data, steps_per_epoch=BATCHES, verbose=0)
        # What `fit` runs for each batch, without its callbacks, and through all batches from turn to turn.
        self.batches = iter(data)

    def turn(self, steps: int) -> float:
        """Trains for some steps and gives the median of their seconds."""
        seconds = []
        for _ in range(WARM + steps):
            start = time.perf_counter()
            self.model.train_function(self.batches)
            seconds.append(time.perf_counter() - start)
        return float(np.median(seconds[WARM:]))


class Released:
    """DLRM of Merlin Models in a process of its own, that waits while others are measured."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.asked, self.answers = process.stdin, process.stdout
        while (line := self.answers.readline()) and line != "ready\n":
            pass

    def turn(self, steps: int) -> float:
        """Trains for some steps and gives the median of their seconds."""
        print(steps, file=self.asked, flush=True)
        return float(self.answers.readline())


@contextlib.contextmanager
def released(python: str, ids: np.ndarray[Any, Any], rows: int, batch_size: int) -> Iterator[Released]:
    """A `Released` for ids as `Trained` takes them; its process ends with the context."""
    settings = {"rows": rows, "dim": DIM, "bottom": BOTTOM, "top": TOP, "batch_size": batch_size, "batches": 4}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.npz")
        np.savez(path, **arrays(ids))  # type: ignore[arg-type]
        script = Path(__file__).with_name("released_step_time.py")
        command = [python, str(script), str(path), json.dumps(settings)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            model = Released(process)
            yield model
            model.asked.close()


def draw_ids(rows: int, batch_size: int, even: bool) -> np.ndarray[Any, Any]:
    """Ids below `rows` for all batches: log-uniform ones have chances of about 1 / n."""
    draw, shape = np.random.default_rng(0), (batch_size * BATCHES, TABLES)
    if even:
        return draw.integers(0, rows, shape)
    ids = np.floor(np.exp(draw.random(shape) * np.log(rows + 1))).astype("int64") - 1
    # Popular ids have any number, as those of a catalogue do.
    return draw.permutation(rows)[ids]


def numbered_anew(ids: np.ndarray[Any, Any], batch_size: int) -> np.ndarray[Any, Any]:
    """The ids of each batch and table as numbers from 0: as many different ones, each as often."""
    batches = ids.reshape(-1, batch_size, TABLES).transpose(0, 2, 1).reshape(-1, batch_size)
    anew = np.stack([np.unique(batch, return_inverse=True)[1] for batch in batches])
    return anew.reshape(-1, TABLES, batch_size).transpose(0, 2, 1).reshape(ids.shape)


def different(ids: np.ndarray[Any, Any], batch_size: int) -> int:
    """Different rows that a batch looks up in all tables, on average."""
    batches = ids.reshape(-1, batch_size, TABLES).transpose(0, 2, 1).reshape(-1, batch_size)
    return round(sum(len(np.unique(batch)) for batch in batches) / BATCHES)


def measure(models: Sequence[Trained | Released], turns: int, steps: int) -> np.ndarray[Any, Any]:
    """Seconds of a step, (turns, models)."""
    return np.array([[each.turn(steps) for each in models] for _ in range(turns)])


def measure_all(options: argparse.Namespace) -> None:
    """Measures every optimizer and prints."""
    size, even = options.batch_size, options.ids == "even"
    small, large = (rows // TABLES for rows in options.rows)
    far = draw_ids(large, size, even)
    anew = numbered_anew(far, size)
    sets = [(draw_ids(small, size, even), small), (anew, int(anew.max()) + 1), (far, large)]
    if options.measure == "small":
        ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    print(f"\ntables in pages of {pages_of_tables()}")
    names = [f"{options.rows[0]:,}", "same rows", f"{options.rows[1]:,}"]
    titles = "".join(f"{name:>14}" for name in names)
    print(f"{'rows in all tables':22}{titles}{'ratio':>9}{'= rows x place':>17}")
    print(f"{'different in a batch':22}" + "".join(f"{different(ids, size):14,}" for ids, _ in sets))
    ways = [(name, way, options.turns, options.steps) for name, way in LAZY.items()]
    ways += [] if options.measure == "small" else [(name, way, 2, 1) for name, way in DENSE.items()]
    for name, way, turns, steps in ways:
        models = [Trained(ids, rows, way, size, options.model) for ids, rows in sets]
        report(name, measure(models, turns, steps))
        del models
        gc.collect()
    if options.released and options.measure != "small":
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(released(options.released, ids, rows, size)) for ids, rows in sets]
            report(RELEASED, measure(others, 2, 4))


def report(name: str, seconds: np.ndarray[Any, Any]) -> None:
    """Prints a line of the table for what `measure` gave."""
    times = "".join(f"{1000 * each:11.1f} ms" for each in np.median(seconds, axis=0))
    ratios = [np.median(seconds[:, one] / seconds[:, other]) for one, other in ((2, 0), (1, 0), (2, 1))]
    print(f"{name:22}{times}{ratios[0]:8.2f}x{ratios[1]:9.2f} x {ratios[2]:.2f}", flush=True)


def pages_of_tables() -> str:
    """Size of the memory pages of a table of this process; a kernel may have none of 2 MiB to give."""
    probe = mm.EmbeddingTable(DIM, mm.create_categorical_column("probe", 1 << 21))
    probe.build((None, 1))
    prefer_huge_pages(probe.embeddings)
    status = Path("/proc/self/smaps_rollup")
    lines = status.read_text().splitlines() if status.exists() else []
    found = sum(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages"))
    return "2 MiB" if found >= 1 << 16 else "4 KiB, or what the system has else"


def main() -> None:
    """Measures, with each kind of pages in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs=2, default=[10_000, 10_000_000], help="rows in all tables")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20, help="steps a turn")
    parser.add_argument("--ids", choices=["popularity", "even"], default="popularity")
    parser.add_argument("--model", choices=["dlrm", "embeddings"], default="dlrm")
    parser.add_argument("--released", metavar="PYTHON", help="also measure DLRM of Merlin Models, by this Python")
    parser.add_argument("--pages", choices=["both", *PAGES], default="both")
    parser.add_argument("--measure", choices=PAGES, help=argparse.SUPPRESS)  # what a process of its own does
    options = parser.parse_args()
    if options.measure:
        measure_all(options)
        return
    cores = len(os.sched_getaffinity(0))
    size = f"{TABLES} tables, {DIM} values a row, batches of {options.batch_size:,}"
    print(f"{options.model}, {size}, ids: {options.ids}, {cores} cores")
    print("median milliseconds a step", flush=True)
    for pages in PAGES if options.pages == "both" else [options.pages]:
        command = [sys.executable, "-m", "benchmarks.step_time", *sys.argv[1:], "--measure", pages]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
