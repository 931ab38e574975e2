"""Exceptions of the whole project: one base class, one line a message."""

from __future__ import annotations

import os


class EmrysError(Exception):
    """Base of every error that Emrys raises on purpose.

    The message is one line: where it happened (step, file, column), what is wrong, what was expected and what came,
    and what to do about it. Only the parts that are given appear.

    Args:
        problem: What is wrong, in a few words.
        step: Pipeline step in which it happened.
        path: File or folder that it is about.
        column: Column, feature or block that it is about.
        expected: What would have been right.
        got: What was found instead.
        fix: What the reader can do.
    """

    #: Exit status of the command line: 2 for a mistake in what the user gave, 1 for a failure.
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
        # Keras makes errors that come out of a layer's `call` anew from their text alone: it has to be the whole one.
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
    """The data that a user gave cannot be used."""

    exit_status = 2


class SchemaError(EmrysError, ValueError):
    """A schema lacks something that a block or a step needs, or contradicts the data."""

    exit_status = 2


class ConfigError(EmrysError, ValueError):
    """An argument, an option or a configuration file has a value that cannot be."""

    exit_status = 2


class ArtifactError(EmrysError):
    """An artifact on disk is missing files, is of another kind or version, or is damaged."""

    exit_status = 2


class DependencyError(EmrysError):
    """Something that must be installed beside the project is not there."""


class ParityError(EmrysError):
    """What is served disagrees with what was trained."""


class ServingError(EmrysError):
    """The inference server did not start, stopped, or refused a request."""
