"""Quality of ranking models that are built with defaults, beside released Merlin Models on the same made log.

Run: python -m benchmarks.quality_defaults [--rows 1000000] [--seeds 0 1 2] [--models dlrm dcn deepfm wide_and_deep]
    [--released PYTHON] [--output FILE]

The log (`benchmarks/quality_log.py`) has a known best AUC. `--released` is the Python of an environment with Merlin
Models 23.12; without it our models run alone. Every run is a process of its own. Prints a table in Markdown: the mean
over the seeds after one and two epochs, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OneHotEncoder

from benchmarks.quality_log import CARDINALITIES, write_log

MODELS = ("dlrm", "dcn", "deepfm", "wide_and_deep")
EPOCHS = 2


def bounds(folder: Path) -> tuple[float, float]:
    """AUC on the test rows of a logistic regression on one-hot columns, and of the true chances."""
    train, test = (pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "test"))
    encoder = OneHotEncoder(handle_unknown="ignore").fit(train[list(CARDINALITIES)])

    def features(frame: pd.DataFrame) -> csr_matrix:
        return hstack(
            [encoder.transform(frame[list(CARDINALITIES)]), csr_matrix(frame[["price", "age"]].to_numpy())],
            format="csr",
        )

    regression = LogisticRegression(max_iter=200).fit(features(train), train["click"])
    linear = roc_auc_score(test["click"], regression.decision_function(features(test)))
    return float(linear), float(roc_auc_score(test["click"], test["chance"]))


def run(python: str, library: str, model: str, folder: Path, seed: int) -> list[float]:
    """AUC after each epoch, from a process of its own."""
    script, scores = Path(__file__).with_name("quality_run.py"), folder / "scores.npy"
    command = [python, str(script), library, model, str(folder), str(seed), str(EPOCHS), str(scores)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{library} {model} seed {seed} failed:\n{done.stderr[-2000:]}")
    clicks = pd.read_parquet(folder / "test.parquet", columns=["click"])["click"]
    return [float(roc_auc_score(clicks, after_epoch)) for after_epoch in np.load(scores)]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--released", metavar="PYTHON", help="Python of an environment with Merlin Models 23.12")
    parser.add_argument("--output", type=Path, help="a file for the results, JSON; what it holds is not run again")
    given = parser.parse_args()
    libraries = {"emrys": sys.executable} | ({"merlin": given.released} if given.released else {})
    results = json.loads(given.output.read_text()) if given.output and given.output.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(folder, given.rows, max(given.rows // 5, 1000))
        linear, best = bounds(folder)
        print(f"logistic regression {linear:.4f}, best reachable {best:.4f}, {given.rows:,} rows\n", flush=True)
        for model in given.models:
            for seed in given.seeds:
                for library, python in libraries.items():
                    key = f"{library} {model} {seed} {given.rows}"
                    if key not in results:
                        results[key] = run(python, library, model, folder, seed)
                        print(key, results[key], file=sys.stderr, flush=True)
                    if given.output:
                        given.output.write_text(json.dumps(results, indent=1))
    print("| model | epochs | " + " | ".join(libraries) + " |\n| --- | --- |" + " --- |" * len(libraries))
    for model in given.models:
        for epoch in range(EPOCHS):
            cells = []
            for library in libraries:
                aucs = np.array([results[f"{library} {model} {seed} {given.rows}"][epoch] for seed in given.seeds])
                cells.append(f"{aucs.mean():.4f} ({aucs.min():.4f} to {aucs.max():.4f})")
            print(f"| {model} | {epoch + 1} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
