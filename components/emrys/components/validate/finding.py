"""Findings of the checks."""

from __future__ import annotations

import dataclasses

from emrys.blocks.errors import DataError
from emrys.components.validate.config import Severity, ValidateConfig


@dataclasses.dataclass(frozen=True)
class Finding:
    """A finding of a check.

    Args:
        check: One of `CHECKS`.
        severity: Severity.
        problem: Problem in a few words.
        column: The column, or None if it is not about a column.
        expected: Expected value or state.
        got: Actual value or state.
    """

    check: str
    severity: Severity
    problem: str
    column: str | None = None
    expected: str | None = None
    got: str | None = None

    @property
    def text(self) -> str:
        """The finding in one line."""
        return str(DataError(self.problem, column=self.column, expected=self.expected, got=self.got))


class Findings:
    """Collection of findings.

    Args:
        config: Settings with the severity of each check; findings of disabled checks are dropped.
    """

    def __init__(self, config: ValidateConfig) -> None:
        self._config = config
        self._findings: list[Finding] = []

    def add(
        self,
        check: str,
        problem: str,
        *,
        column: str | None = None,
        expected: str | None = None,
        got: str | None = None,
    ) -> None:
        """Adds a finding, unless the check is disabled."""
        severity = self._config.severity_of(check)
        if severity is not Severity.OFF:
            self._findings.append(Finding(check, severity, problem, column, expected, got))

    @property
    def all(self) -> list[Finding]:
        """All findings, errors first, in the order of the checks."""
        return sorted(self._findings, key=lambda finding: finding.severity is not Severity.ERROR)

    @property
    def errors(self) -> list[Finding]:
        """Findings of severity `error`."""
        return [finding for finding in self._findings if finding.severity is Severity.ERROR]
