"""Something that is wrong with the data."""

from __future__ import annotations

import dataclasses

from emrys.blocks.errors import DataError
from emrys.components.validate.config import Severity, ValidateConfig


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that a check found.

    Args:
        check: One of `CHECKS`.
        severity: How much it matters.
        problem: What is wrong, in a few words.
        column: The column that it is about, if it is about one.
        expected: What would have been right.
        got: What was found instead.
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
    """What the checks have found so far.

    Args:
        config: Says how much each check matters; what is off is not kept.
    """

    def __init__(self, config: ValidateConfig) -> None:
        self._config = config
        self._found: list[Finding] = []

    def add(
        self,
        check: str,
        problem: str,
        *,
        column: str | None = None,
        expected: str | None = None,
        got: str | None = None,
    ) -> None:
        """Keeps a finding of `check`, unless the check is off."""
        severity = self._config.severity_of(check)
        if severity is not Severity.OFF:
            self._found.append(Finding(check, severity, problem, column, expected, got))

    @property
    def all(self) -> list[Finding]:
        """All of them, errors first, else in the order in which they were found."""
        return sorted(self._found, key=lambda one: one.severity is not Severity.ERROR)

    @property
    def errors(self) -> list[Finding]:
        """Those for which the data are not fit."""
        return [one for one in self._found if one.severity is Severity.ERROR]
