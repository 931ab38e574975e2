"""Comparison of a canary or shadow release with the stable release, on the same rows.

It compares scores, or recommended items and their scores. The job `compare` of the chart `emrys-serving` runs
`python -m emrys.components.serving.canary STABLE CANDIDATE --rows FILE`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from emrys.blocks.errors import DataError, EmrysError, ParityError, ServingError
from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.packing import Rows
from emrys.components.serving.recommendation import Recommendation

#: Seconds between two attempts to reach a server.
_PAUSE = 2.0


@dataclass(frozen=True)
class Comparison:
    """Differences between the scores of two releases.

    Args:
        rows: Number of rows.
        mean_difference: Mean of the absolute differences.
        max_difference: Largest absolute difference.
        mean_shift: Mean of candidate minus stable.
        rank_correlation: Spearman's rank correlation of the two; NaN if all scores of one are equal.
        overlap: Mean share of the recommended items that both recommend; the scores are then those of these items.
            None for scored rows.
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
        comparable = len(stable) > 1 and bool(np.isfinite(difference).all())
        correlation = pd.Series(stable).rank().corr(pd.Series(candidate).rank()) if comparable else np.nan
        return cls(
            rows=len(stable),
            mean_difference=float(np.abs(difference).mean()),
            max_difference=float(np.abs(difference).max()),
            mean_shift=float(difference.mean()),
            rank_correlation=float(correlation),
        )

    @classmethod
    def of_outputs(
        cls, stable: Mapping[str, npt.NDArray[Any]], candidate: Mapping[str, npt.NDArray[Any]]
    ) -> Comparison:
        """Compares each output and each class, (B,) or (B, C); the values are those of the one that differs most.

        Raises:
            DataError: if there are no rows.
        """
        comparisons = [
            cls.of(before, after)
            for name, values in stable.items()
            for before, after in zip(np.atleast_2d(values.T), np.atleast_2d(candidate[name].T), strict=True)
        ]
        return cls(
            rows=comparisons[0].rows,
            mean_difference=float(np.max([one.mean_difference for one in comparisons])),
            max_difference=float(np.max([one.max_difference for one in comparisons])),
            mean_shift=max((one.mean_shift for one in comparisons), key=abs),
            rank_correlation=float(np.min([one.rank_correlation for one in comparisons])),
        )

    @classmethod
    def of_recommended(
        cls, stable: Sequence[Sequence[Recommendation]], candidate: Sequence[Sequence[Recommendation]]
    ) -> Comparison:
        """Compares recommended items of the same rows, B each.

        Raises:
            DataError: if there are no rows, or the two have no item in common.
        """
        pairs: list[tuple[float, float]] = []
        shares = []
        for stable_row, candidate_row in zip(stable, candidate, strict=True):
            before, after = dict(stable_row), dict(candidate_row)
            common = [item for item in before if item in after]
            pairs += [(before[item], after[item]) for item in common]
            shares.append(len(common) / max(1, len(before), len(after)))
        if shares and not pairs:
            raise DataError("the two releases recommend no item in common", got=f"{len(shares)} rows")
        scores = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        comparison = cls.of(scores[:, 0], scores[:, 1])
        return replace(comparison, rows=len(shares), overlap=float(np.mean(shares)))

    def check(self, max_mean_difference: float, min_rank_correlation: float) -> None:
        """Checks that the differences are within the limits; NaN is not.

        Args:
            max_mean_difference: Largest mean of the absolute differences.
            min_rank_correlation: Smallest rank correlation.

        Raises:
            ParityError: if a limit is exceeded.
        """
        if not self.mean_difference <= max_mean_difference:
            raise ParityError(
                "the scores of the candidate differ from those of the stable release",
                expected=f"a mean difference of at most {max_mean_difference:g}",
                got=f"{self.mean_difference:.6g}",
                fix="If this is intended, raise compare.maxMeanDifference.",
            )
        if not self.rank_correlation >= min_rank_correlation:
            raise ParityError(
                "the ranking of the candidate differs from that of the stable release",
                expected=f"a rank correlation of at least {min_rank_correlation:g}",
                got=f"{self.rank_correlation:.6g}",
                fix="If this is intended, lower compare.minRankCorrelation.",
            )


def compare(stable: str, candidate: str, rows: Rows, model_name: str = "ranking", wait: float = 0.0) -> Comparison:
    """Sends the same rows to two servers and compares the answers.

    Args:
        stable: Host and gRPC port of the stable release.
        candidate: Host and gRPC port of the candidate.
        rows: Raw rows.
        model_name: Name of the ensemble in both. Default: ranking.
        wait: Seconds to wait until both servers answer. Default: 0.

    Returns:
        The differences.

    Raises:
        DataError: if there are no rows, or their columns or types do not match the ensemble.
        ServingError: if a server does not answer.
    """
    deadline = time.monotonic() + wait
    with (
        EnsembleClient(stable, model_name=model_name) as stable_client,
        EnsembleClient(candidate, model_name=model_name) as candidate_client,
    ):
        for client in (stable_client, candidate_client):
            _wait_for(client, deadline)
        if stable_client.recommends:
            return Comparison.of_recommended(stable_client.recommend(rows), candidate_client.recommend(rows))
        before, after = stable_client.predict_all(rows), candidate_client.predict_all(rows)
        if before.keys() != after.keys():
            raise DataError("the two releases have other outputs", expected=", ".join(before), got=", ".join(after))
        return Comparison.of_outputs(before, after)


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
    """Entry of `python -m emrys.components.serving.canary`.

    Returns:
        The exit status: 0; 2 for invalid arguments or rows; 1 if the scores differ too much or a server fails.
    """
    parser = argparse.ArgumentParser(prog="compare", description="Compare the scores of two served ensembles.")
    parser.add_argument("stable", help="host:port (gRPC) of the stable release")
    parser.add_argument("candidate", help="host:port (gRPC) of the candidate")
    parser.add_argument("--rows", type=Path, required=True, help="raw rows, .json or .jsonl")
    parser.add_argument("--model", default="ranking", help="name of the ensemble")
    parser.add_argument("--max-mean-difference", type=float, required=True)
    parser.add_argument("--min-rank-correlation", type=float, required=True)
    parser.add_argument("--wait", type=float, default=0.0, help="seconds until both must answer")
    options = parser.parse_args(arguments)
    try:
        comparison = compare(options.stable, options.candidate, _read(options.rows), options.model, options.wait)
        differences = {name: value for name, value in asdict(comparison).items() if value is not None}
        print(json.dumps(differences, sort_keys=True), flush=True)
        comparison.check(options.max_mean_difference, options.min_rank_correlation)
    except EmrysError as error:
        print(f"compare: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
