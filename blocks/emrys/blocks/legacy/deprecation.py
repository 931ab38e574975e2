"""Deprecation warnings of the first generation."""

from __future__ import annotations

import contextlib
import contextvars
import warnings
from collections.abc import Iterator

_QUIET: contextvars.ContextVar[bool] = contextvars.ContextVar("quiet", default=False)


def warn_deprecated(old: str, new: str, stacklevel: int = 3) -> None:
    """Issues a `DeprecationWarning`, except inside `quietly`.

    Args:
        old: The deprecated name.
        new: Its replacement.
        stacklevel: See `warnings.warn`; 3 is the caller of the deprecated function.
    """
    if not _QUIET.get():
        warnings.warn(f"{old} is deprecated: use {new} instead.", DeprecationWarning, stacklevel=stacklevel)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Suppresses the warnings of nested first-generation objects, created from a schema or a saved model."""
    before = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(before)
