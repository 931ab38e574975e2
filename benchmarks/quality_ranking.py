"""AUC of the ranking models on MovieLens 100K's own split, regularised for it.

    python benchmarks/quality_ranking.py ml-100k.zip

Without a path, ml-100k.zip is read from the folder that the environment variable EMRYS_DATA names.

Trained on `u1.base`, of which a twentieth is held back for early stopping; evaluated on `u1.test`. The models have the
dropout and the penalties of docs/quality-ranking.md. Prints a row for each model and seed, and the mean over the seeds.
Takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow as pa
from merlin.io import Dataset
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.datasets import RatingFeatures, load_movielens
from emrys.blocks.datasets.file_source import FileSource

#: MovieLens 100K in the folder that EMRYS_DATA names, relative to the repository.
ARCHIVE = Path(__file__).resolve().parents[1] / (os.environ.get("EMRYS_DATA") or "../shared/data") / "ml-100k.zip"
TARGET = "rating_binary"
HELD_BACK = 0.05
BATCH, MOST_EPOCHS, PATIENCE = 1024, 40, 6


def embeddings(
    schema: Schema, dim: int | None = None, stddev: float = 0.01, dropout: float = 0.0, l2: float = 0.0
) -> mm.ParallelBlock:
    """Embeddings that start at a standard deviation, with dropout or a penalty on what a batch looks up."""
    ids = schema.select_by_tag(Tags.CATEGORICAL)
    return mm.Embeddings(
        ids,
        dim=dim,
        # One initializer for each table: a shared one would start all tables with the same numbers.
        embeddings_initializer={name: keras.initializers.RandomNormal(stddev=stddev) for name in ids.column_names},
        activity_regularizer=mm.RowL2(l2) if l2 else None,
        post=mm.MapValues(keras.layers.Dropout(dropout)) if dropout else None,
    )


#: Every layer draws its seed when it is made: in another order the same models give other figures, of the same spread.
MODELS: dict[str, Callable[[Schema], mm.Model]] = {
    "DCN": lambda schema: mm.DCNModel(
        schema,
        prediction_tasks=mm.BinaryOutput(TARGET),
        depth=2,
        deep_block=mm.MLPBlock([512, 256], dropout=0.3),
        categorical=embeddings(schema, dropout=0.5),
    ),
    "DeepFM": lambda schema: mm.DeepFMModel(
        schema,
        prediction_tasks=mm.BinaryOutput(TARGET),
        categorical=embeddings(schema, dim=16, stddev=0.1, l2=0.03),
        deep_block=mm.MLPBlock([64], dropout=0.5),
    ),
    "DLRM": lambda schema: mm.DLRMModel(
        schema,
        bottom_block=mm.MLPBlock([64, 32]),
        top_block=mm.MLPBlock([64, 32]),
        embeddings=embeddings(schema, dim=32, stddev=0.05, dropout=0.6),
        prediction_tasks=mm.BinaryOutput(TARGET),
    ),
    "WideAndDeep": lambda schema: mm.WideAndDeepModel(
        schema,
        mm.MLPBlock([64, 32]),
        prediction_tasks=mm.BinaryOutput(TARGET),
        deep_input_block=mm.InputBlockV2(schema, categorical=embeddings(schema, dropout=0.5)),
        wide_schema=schema,
    ),
}


def splits(path: str | Path, seed: int = 42) -> tuple[Dataset, Dataset, Dataset]:
    """The train, valid and test split of MovieLens 100K at `path`: their features, and one target."""
    log = load_movielens(path)
    source = FileSource(path)
    where = {name.rsplit("/", 1)[-1]: name for name in source.names}
    base, test = (_rows(log, source.read(where[name])) for name in ("u1.base", "u1.test"))
    held = np.random.default_rng(seed).random(base.num_rows) < HELD_BACK
    features = RatingFeatures(base.filter(pa.array(~held)), seed=seed)
    made = (features.train(), features.transform(base.filter(pa.array(held))), features.transform(test))
    train, valid, tested = (_judged_by_one_target(data) for data in made)
    return train, valid, tested


def _rows(log: pa.Table, lines: bytes) -> pa.Table:
    """The rows of the log that a file of the split names, by user and movie: no user rates one twice."""
    named = {tuple(line.split(b"\t")[:2]) for line in lines.splitlines() if line}
    pairs = zip(log["userId"].to_pylist(), log["movieId"].to_pylist(), strict=True)
    kept = [(b"%d" % user, b"%d" % movie) in named for user, movie in pairs]
    return log.filter(pa.array(kept))


def _judged_by_one_target(data: Dataset) -> Dataset:
    # A title is another name for a movie's id.
    frame = data.to_ddf().compute().drop(columns=["rating", "title"])
    return Dataset(frame, schema=data.schema.excluding_by_name(["rating", "title"]))


def trained_auc(
    make: Callable[[Schema], mm.Model], train: Dataset, valid: Dataset, test: Dataset, seed: int
) -> tuple[float, float, int]:
    """Trains a model until the valid AUC gets no better: its AUC on valid and on test, and the best epoch."""
    keras.utils.set_random_seed(seed)
    model = make(train.schema)
    model.compile(metrics=[keras.metrics.AUC(num_thresholds=2000, name="auc")])
    stop = keras.callbacks.EarlyStopping("val_auc", mode="max", patience=PATIENCE, restore_best_weights=True)
    loader = mm.Loader(train, BATCH, seed_fn=lambda: seed)
    evaluation = [mm.Loader(data, 8192, shuffle=False) for data in (valid, test)]
    history = model.fit(
        loader,
        validation_data=evaluation[0],
        epochs=MOST_EPOCHS,
        callbacks=[stop],
        train_metrics_steps=0,
        verbose=0,
    ).history
    found = model.evaluate(evaluation[1], verbose=0, return_dict=True)
    return max(history["val_auc"]), found["auc"], int(np.argmax(history["val_auc"])) + 1


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "path", nargs="?", default=ARCHIVE, help="ml-100k.zip, or the folder in it (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0 (default: 3)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    train, valid, test = splits(arguments.path)
    print(f"{train.num_rows} rows to train, {valid.num_rows} held back, {test.num_rows} to test", flush=True)
    print(f"{'model':<12} {'seed':>4} {'valid AUC':>9} {'test AUC':>8} {'epoch':>5} {'seconds':>7}", flush=True)
    for name in arguments.models:
        found = []
        for seed in range(arguments.seeds):
            start = time.perf_counter()
            valid_auc, test_auc, epoch = trained_auc(MODELS[name], train, valid, test, seed)
            seconds = time.perf_counter() - start
            found.append(test_auc)
            print(f"{name:<12} {seed:>4} {valid_auc:>9.4f} {test_auc:>8.4f} {epoch:>5} {seconds:>7.0f}", flush=True)
        print(f"{name:<12} mean {'':>9} {np.mean(found):>8.4f}", flush=True)


if __name__ == "__main__":
    main()
