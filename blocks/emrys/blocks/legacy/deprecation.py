"""Telling users of the first generation what has taken its place."""

from __future__ import annotations

import contextlib
import contextvars
import warnings
from collections.abc import Iterator

_QUIET: contextvars.ContextVar[bool] = contextvars.ContextVar("quiet", default=False)


def warn_deprecated(old: str, new: str, stacklevel: int = 3) -> None:
    """Warns whoever called the function that calls this one; not `quietly`.

    Args:
        old: The name that was used.
        new: What to use instead.
        stacklevel: That of `warnings.warn`; 3 is the caller's caller.
    """
    if not _QUIET.get():
        warnings.warn(f"{old} is deprecated: use {new} instead.", DeprecationWarning, stacklevel=stacklevel)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """For what makes first-generation objects itself, of a schema or of a saved model: one warning is enough."""
    before = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(before)
