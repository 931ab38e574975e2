"""Exceptions of the project, with one base class and one-line messages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

#: The page about what differs from Merlin Models; errors about what is gone name it.
MIGRATION_PAGE = "docs/coming-from-merlin-models.md"


class EmrysError(Exception):
    """Base of every error that Emrys raises on purpose.

    The message is one line: the location (step, file, column), the problem, the expected and the actual value, and a
    fix. Arguments that are None are omitted.

    Args:
        problem: The problem, in a few words.
        step: Pipeline step of the error.
        path: File or folder of the error.
        column: Column, feature or block of the error.
        expected: The expected value.
        got: The actual value.
        fix: A fix for the user.
    """

    #: Exit status of the command line: 2 for invalid input, 1 for a failure.
    exit_status = 1

    def __init__(
        self,
        problem: str,
        *,
        step: str | None = None,
        path: str | os.PathLike[str] | None = None,
        column: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.problem = problem
        self.step = step
        self.path = None if path is None else os.fspath(path)
        self.column = column
        self.expected = expected
        self.got = got
        self.fix = fix
        # Keras recreates errors of a layer's `call` from their text alone: it must be the whole message.
        super().__init__(str(self))

    def __str__(self) -> str:
        """The whole message on one line."""
        where = [self.step, self.path, None if self.column is None else f"column {self.column!r}"]
        text = ": ".join([part for part in where if part] + [self.problem])
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.got is not None:
            text += f", got {self.got}" if self.expected is not None else f"; got {self.got}"
        if self.fix is not None:
            text += f". {self.fix}"
        return " ".join(text.split())


class DataError(EmrysError):
    """The user's data cannot be used."""

    exit_status = 2


class SchemaError(EmrysError, ValueError):
    """A schema is incomplete for a block or a step, or contradicts the data."""

    exit_status = 2


class ConfigError(EmrysError, ValueError):
    """An argument, an option or a configuration file is invalid."""

    exit_status = 2


def reject_removed(owner: str, given: Iterable[str], removed: Mapping[str, str]) -> None:
    """Raises an error for arguments of Merlin Models that do not exist here.

    Args:
        owner: Name of the class that got them.
        given: Names of the arguments that it got.
        removed: What to use instead, by argument.

    Raises:
        ConfigError: if an argument was removed; it names the replacement and the page about such differences.
    """
    for name in given:
        if name in removed:
            raise ConfigError(f"{owner} has no argument {name}", fix=f"{removed[name]} See {MIGRATION_PAGE}.")


class ArtifactError(EmrysError):
    """An artifact is incomplete, damaged, or of another type or version."""

    exit_status = 2


class DependencyError(EmrysError):
    """A required external program or package is not installed."""


class ParityError(EmrysError):
    """The served model disagrees with the trained model."""


class ServingError(EmrysError):
    """The inference server did not start, stopped, or rejected a request."""
