"""Checks the raw splits and writes their statistics."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.blocks.io import atomic_file
from emrys.components.contracts.data_schema import Role, TargetKind
from emrys.components.contracts.splits import SPLITS, Splits
from emrys.components.contracts.statistics import Statistics
from emrys.components.events import emit, step_events
from emrys.components.reporting.facts import SplitFacts, plain_facts
from emrys.components.reporting.validation_page import ValidationPage, ValidationView
from emrys.components.validate import anomalies
from emrys.components.validate.column_review import ColumnReview, add_drift, add_leak
from emrys.components.validate.config import CHECKS, OnAnomaly, ValidateConfig
from emrys.components.validate.counting import column_kinds, count_column, in_seconds
from emrys.components.validate.drift import column_drift
from emrys.components.validate.finding import Finding, Findings
from emrys.components.validate.leaks import (
    Array,
    SingleColumnFit,
    fit_single_column,
    repeated_events,
    sampled,
    shared_events,
)
from emrys.components.validate.plots import draw_drift

__all__ = ["OnAnomaly", "ValidateConfig", "run"]

STEP = "validate"

#: Maximum number of findings in the log.
_LOGGED = 20
#: Splits in which the rows of a user are in the order of time.
_BY_USER = ("per_user", "last_per_user")
#: Roles of columns that are no inputs of a model, and so no leaks.
_NO_INPUTS = (Role.SOURCE, Role.EVENT, Role.WEIGHT)


def run(
    splits: Path,
    config: ValidateConfig,
    output: Path,
    previous: Path | None = None,
    *,
    report: Path | None = None,
    now: float | None = None,
) -> Statistics:
    """Checks the raw splits, and writes `Statistics` or stops.

    Args:
        splits: The raw splits.
        config: Settings.
        output: Folder of the statistics.
        previous: Statistics of an earlier run; None for no drift checks.
        report: Additional file for the page, which is also written if the step stops. Default: `<output>.html` if the
            step stops, otherwise none.
        now: Current time in seconds since 1970. Default: that of the clock.

    Returns:
        The statistics, with the verdict.

    Raises:
        DataError: if there are errors and `on_anomaly` is `stop`; only the page is written then.
        ArtifactError: if the splits or the previous statistics are damaged.
    """
    with step_events(STEP):
        raw = Splits(splits)
        config.check_columns(raw.columns)
        earlier = None if previous is None else Statistics(previous)
        review = _Review(raw, earlier, config, time.time() if now is None else now)
        reviews = review.columns()
        review.events()
        add_drift(reviews, review.findings)

        stopped = bool(review.findings.errors) and config.on_anomaly is OnAnomaly.STOP
        verdict = "stopped" if stopped else "marked" if review.findings.errors else "passed"
        inputs = {"splits": raw.fingerprint, "previous": None if earlier is None else earlier.fingerprint}
        validation = {
            "verdict": verdict,
            **_validation(review.findings.all, reviews),
            **inputs,
            "configuration": dataclasses.asdict(config),
        }
        plots = draw_drift(reviews)
        facts = [SplitFacts.of(raw.file(split), raw.data_schema) for split in SPLITS]
        dataset = Path(str(raw.metadata.get("dataset") or "unnamed data")).name
        columns = [each.statistics for each in reviews]
        view = ValidationView(columns, validation, plots, {name: meaning for name, (meaning, _) in CHECKS.items()})
        origin = {"splits": raw.fingerprint, "previous statistics": inputs["previous"] or "none"}
        page = ValidationPage(view, dataset, facts, origin).render()
        page_file = report or (_page_next_to(output) if stopped else None)
        if page_file is not None:
            with atomic_file(page_file) as work:
                work.write_text(page, encoding="utf-8")
        for finding in review.findings.all[:_LOGGED]:
            emit(STEP, "message", text=f"{finding.severity.value}: {finding.check}: {finding.text}")
        if stopped:
            raise _error(review.findings.errors, raw, page_file)
        _page_next_to(output).unlink(missing_ok=True)  # of an earlier run that stopped
        statistics = Statistics.write(
            output,
            rows=review.rows,
            columns=columns,
            validation=validation,
            report=page,
            plots=plots,
            metadata={
                "verdict": verdict,
                "inputs": inputs,
                "dataset": dataset,
                "splits": [dataclasses.asdict(each) for each in facts],
                "data": plain_facts(raw.metadata),
                "ingest": raw.metadata.get("config"),
                "ingest_usage": raw.usage,
                "data_schema": raw.data_schema.to_json(),
            },
        )
        emit(STEP, "message", text=f"{verdict}; {len(review.findings.all)} findings in {len(reviews)} columns")
        return statistics


class _Review:
    """Reads the splits column by column, so that memory holds one column and the columns of events."""

    def __init__(self, raw: Splits, earlier: Statistics | None, config: ValidateConfig, now: float) -> None:
        self.findings = Findings(config)
        self.rows = {split: pq.read_metadata(raw.file(split)).num_rows for split in SPLITS}
        self._raw = raw
        self._schema = raw.data_schema
        self._kinds = column_kinds(self._schema)
        self._required = anomalies.required_columns(self._schema)
        self._config = config
        self._now = now
        self._before = None if earlier is None else earlier.columns
        self._rows_before = None if earlier is None else earlier.rows["train"]
        self._sample = sampled(self.rows["train"], config.leak_sample, config.seed)
        self._label = self._labels()

    def columns(self) -> list[ColumnReview]:
        """Checks each column."""
        anomalies.check_columns(self._raw, self._before, self.findings)
        anomalies.check_rows(self.rows["train"], self._rows_before, self._config, self.findings)
        names = anomalies.raw_columns(self._raw)
        reviews = []
        for done, name in enumerate(names):
            emit(STEP, "progress", done=done, total=len(names) + 1, text=f"checking {name}")
            reviews.append(self._column(name))
        return reviews

    def events(self) -> None:
        """Checks events across columns and splits."""
        for split in SPLITS:
            if not self.rows[split]:
                self.findings.add("rows", f"the {split} split has no rows", expected="at least one")
                return
        method, user, time = self._raw.metadata.get("split"), self._schema.user_id, self._schema.time
        if time is None:
            return  # without a time, equal rows may be different events
        ranges = {split: self._time_range(split, time) for split in SPLITS}
        anomalies.check_order(ranges, time, method, self.findings)
        columns = list(self._schema.event_columns)
        train = self._raw.read("train", columns)
        # In implicit feedback a row is one of several equal units, such as two pieces in one purchase.
        distinct = not self._schema.is_implicit and self._schema.item_id is not None
        if distinct:
            self._check_share("duplicates", "events are repeated in train", repeated_events(train), "train",
                              self._config.max_duplicates)  # fmt: skip
        for split in SPLITS[1:]:
            other = self._raw.read(split, columns)
            if method in _BY_USER and user is not None:
                anomalies.check_order_by_user(train, other, user, time, split, self.findings)
            if distinct:
                shared = shared_events(train, other)
                self._check_share("leak_rows", f"events of {split} are in train too", shared, split,
                                  self._config.max_shared)  # fmt: skip

    def _time_range(self, split: str, time: str) -> tuple[int, int]:
        """First and last time of a split, in seconds."""
        ends = pc.min_max(in_seconds(self._schema.column(time), self._raw.read(split, [time])[time])).as_py()
        return ends["min"], ends["max"]

    def _values(self, split: str, name: str) -> pa.ChunkedArray:
        """Values of a column, times in seconds."""
        values = self._raw.read(split, [name])[name]
        return in_seconds(self._schema.column(name), values) if name in self._schema.names else values

    def _column(self, name: str) -> ColumnReview:
        config, limits = self._config, self._config.limits(name)
        kind, required = self._kinds[name], name in self._required
        values = self._values("train", name)
        statistics = count_column(name, values, kind, bins=config.bins, top=config.top_values)
        before = (self._before or {}).get(name)
        anomalies.check_column(statistics, before, required, config, self.findings)
        anomalies.check_values(statistics, "train", required, config, self.findings, self._now)
        shift = []
        for split in SPLITS[1:]:
            other_values = self._values(split, name)
            other = count_column(name, other_values, kind, bins=config.bins, top=config.top_values)
            anomalies.check_values(other, split, required, config, self.findings, self._now)
            # The last split is test.
            shift = column_drift(statistics, other, other_values, limits)
        drift = [] if before is None else column_drift(before, statistics, values, limits)
        fit = self._fit(name, values)
        review = ColumnReview(statistics, values, before, drift, shift, fit and fit.auc, bool(fit and fit.decides))
        add_leak(review, limits.leak_auc, self.findings)
        return review

    def _fit(self, name: str, values: pa.ChunkedArray) -> SingleColumnFit | None:
        if self._label is None or name not in self._schema.names or self._schema.column(name).role in _NO_INPUTS:
            return None
        return fit_single_column(self._part(values), self._kinds[name], self._label, self._config.seed)

    def _labels(self) -> Array | None:
        """Label of the rows for the leak checks: 0 or 1 by the first target; None if there is none.

        A regression counts as 1 above its median, and the most frequent of several classes as 1.
        """
        if not self._schema.targets:
            return None
        target = self._schema.targets[0]
        column = self._part(self._raw.read("train", [target.name])[target.name])
        if column.null_count or not len(column):
            return None
        label = column.to_numpy().astype(np.float64)
        if target.kind is TargetKind.REGRESSION:
            label = (label > np.median(label)).astype(np.float64)
        elif target.kind is TargetKind.CLASSES:
            classes, counts = np.unique(label, return_counts=True)
            label = (label == classes[counts.argmax()]).astype(np.float64)
        return label if set(np.unique(label)) == {0.0, 1.0} else None

    def _part(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        return values if self._sample is None else values.take(pa.array(self._sample))

    def _check_share(self, check: str, problem: str, rows: int, split: str, most: float) -> None:
        if rows > most * self.rows[split]:
            expected = f"at most {100 * most:g} % of its rows" if most else "none"
            self.findings.add(check, problem, expected=expected, got=f"{rows:,} of {self.rows[split]:,} rows")


def _validation(findings: list[Finding], reviews: list[ColumnReview]) -> dict[str, Any]:
    return {
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "drift": {each.name: [dataclasses.asdict(drift) for drift in each.drift] for each in reviews},
        "test": {each.name: [dataclasses.asdict(drift) for drift in each.shift] for each in reviews},
        "alone": {each.name: each.auc for each in reviews if each.auc is not None},
    }


def _error(errors: list[Finding], raw: Splits, report: Path | None) -> DataError:
    first = errors[0]
    names = list(dict.fromkeys(error.check + (f" in {error.column!r}" if error.column else "") for error in errors))
    others = names[1:]
    more = f"Also: {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}. " if others else ""
    return DataError(
        f"{first.check}: {first.problem}",
        path=raw.path,
        column=first.column,
        expected=first.expected,
        got=first.got,
        fix=f"{more}See {report}. With on_anomaly=mark the run continues.",
    )


def _page_next_to(output: Path) -> Path:
    return output.with_name(f"{output.name}.html")
