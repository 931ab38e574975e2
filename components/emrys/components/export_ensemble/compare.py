"""Sends the same rows to two served ensembles and compares the scores, or the recommended items and their scores.

`python -m emrys.components.export_ensemble.compare STABLE CANDIDATE --rows FILE` is the job that holds a canary or
a shadow release against the stable one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from emrys.blocks.errors import DataError, EmrysError, ParityError, ServingError
from emrys.components.export_ensemble.client import EnsembleClient
from emrys.components.export_ensemble.packing import Rows
from emrys.components.export_ensemble.recommendation import Recommendation

_PAUSE = 2.0


@dataclass(frozen=True)
class Comparison:
    """How the scores of two releases differ.

    Args:
        rows: Number of rows.
        mean_difference: Mean of the absolute differences.
        max_difference: Largest absolute difference.
        mean_shift: Mean of candidate minus stable: whether one scores higher as a whole.
        rank_correlation: Spearman's correlation of the two; NaN when all scores of one are equal.
        overlap: Share of the recommended items that both recommend, the mean over the rows; the scores are then those
            of these items. None where rows are scored.
    """

    rows: int
    mean_difference: float
    max_difference: float
    mean_shift: float
    rank_correlation: float
    overlap: float | None = None

    @classmethod
    def of(cls, stable: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> Comparison:
        """Compares scores of the same rows, (B,) each.

        Raises:
            DataError: if there are no rows.
        """
        if not len(stable):
            raise DataError("there are no rows to compare with")
        difference = candidate.astype(np.float64) - stable.astype(np.float64)
        told = len(stable) > 1 and bool(np.isfinite(difference).all())
        correlation = pd.Series(stable).rank().corr(pd.Series(candidate).rank()) if told else np.nan
        return cls(
            rows=len(stable),
            mean_difference=float(np.abs(difference).mean()),
            max_difference=float(np.abs(difference).max()),
            mean_shift=float(difference.mean()),
            rank_correlation=float(correlation),
        )

    @classmethod
    def of_recommended(
        cls, stable: Sequence[Sequence[Recommendation]], candidate: Sequence[Sequence[Recommendation]]
    ) -> Comparison:
        """Compares recommended items of the same rows, B each.

        Raises:
            DataError: if there are no rows, or none has an item that both recommend.
        """
        pairs: list[tuple[float, float]] = []
        shares = []
        for one, other in zip(stable, candidate, strict=True):
            ours, theirs = dict(one), dict(other)
            both = [item for item in ours if item in theirs]
            pairs += [(ours[item], theirs[item]) for item in both]
            shares.append(len(both) / max(1, len(ours), len(theirs)))
        if shares and not pairs:
            raise DataError("the two recommend no item in common", got=f"{len(shares)} rows")
        scores = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        compared = cls.of(scores[:, 0], scores[:, 1])
        return replace(compared, rows=len(shares), overlap=float(np.mean(shares)))

    def check(self, max_mean_difference: float, min_rank_correlation: float) -> None:
        """Fails when the scores differ by more than is allowed; a NaN fails too.

        Args:
            max_mean_difference: Largest mean of the absolute differences.
            min_rank_correlation: Smallest rank correlation.

        Raises:
            ParityError: if one of the two does not hold.
        """
        if not self.mean_difference <= max_mean_difference:
            raise ParityError(
                "the candidate scores otherwise than the stable release",
                expected=f"a mean difference of at most {max_mean_difference:g}",
                got=f"{self.mean_difference:.6g}",
                fix="If that is meant, allow more (compare.maxMeanDifference).",
            )
        if not self.rank_correlation >= min_rank_correlation:
            raise ParityError(
                "the candidate ranks otherwise than the stable release",
                expected=f"a rank correlation of at least {min_rank_correlation:g}",
                got=f"{self.rank_correlation:.6g}",
                fix="If that is meant, allow less (compare.minRankCorrelation).",
            )


def compare(stable: str, candidate: str, rows: Rows, model_name: str = "ranking", wait: float = 0.0) -> Comparison:
    """Sends rows to two servers.

    Args:
        stable: Host and gRPC port of the stable release.
        candidate: Host and gRPC port of the candidate.
        rows: Raw rows.
        model_name: Name of the ensemble, the same in both.
        wait: Seconds that a server may take until it answers.

    Returns:
        How the scores differ.

    Raises:
        DataError: if there are no rows, or they do not fit.
        ServingError: if a server does not answer.
    """
    deadline = time.monotonic() + wait
    answers: list[Any] = []
    for url in (stable, candidate):
        with EnsembleClient(url, model_name=model_name) as client:
            _wait_for(client, deadline)
            recommends = client.recommends
            answers.append(client.recommend(rows) if recommends else client.predict(rows))
    return Comparison.of_recommended(*answers) if recommends else Comparison.of(*answers)


def _wait_for(client: EnsembleClient, deadline: float) -> None:
    while True:
        try:
            _ = client.columns
            return
        except ServingError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)


def _read(path: Path) -> Rows:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except FileNotFoundError:
        raise DataError("the file of rows is missing", path=path) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"not a file of rows ({error})", path=path, expected="JSON, or JSON lines") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of `python -m emrys.components.export_ensemble.compare`.

    Returns:
        The exit status: 0, 2 for a mistake in what was given, 1 when the scores differ too much or a server fails.
    """
    parser = argparse.ArgumentParser(prog="compare", description="Compare the scores of two served ensembles.")
    parser.add_argument("stable", help="host:port (gRPC) of the stable release")
    parser.add_argument("candidate", help="host:port (gRPC) of the candidate")
    parser.add_argument("--rows", type=Path, required=True, help="raw rows, .json or .jsonl")
    parser.add_argument("--model", default="ranking", help="name of the ensemble")
    parser.add_argument("--max-mean-difference", type=float, required=True)
    parser.add_argument("--min-rank-correlation", type=float, required=True)
    parser.add_argument("--wait", type=float, default=0.0, help="seconds until both must answer")
    given = parser.parse_args(arguments)
    try:
        found = compare(given.stable, given.candidate, _read(given.rows), given.model, given.wait)
        told = {name: value for name, value in asdict(found).items() if value is not None}
        print(json.dumps(told, sort_keys=True), flush=True)
        found.check(given.max_mean_difference, given.min_rank_correlation)
    except EmrysError as error:
        print(f"compare: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
