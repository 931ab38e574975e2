"""A context manager that measures and reports elapsed time."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import TextIO


class Timing:
    """Reports the start and the duration of the body of a `with`.

    `with Timing("Reading ratings..."):` writes `Reading ratings... Done in 0.250s`.

    Args:
        message: Description of the body.
        file: Stream to write to. None for `sys.stdout`, looked up at each write.
        logger: Logger to write to instead, as two records of level INFO. None for the stream.
        one_line: Whether message and duration share a line; otherwise the message is repeated. Ignored with `logger`.
    """

    #: Duration of the body in seconds, after its end.
    seconds: float | None = None

    def __init__(
        self,
        message: str,
        file: TextIO | None = None,
        logger: logging.Logger | None = None,
        one_line: bool = True,
    ) -> None:
        self.message = message
        self.file = file
        self.logger = logger
        self.one_line = one_line
        self._start = 0.0

    def __enter__(self) -> Timing:
        self._write(self.message, end="" if self.one_line else "\n")
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        duration = f"{'Done in' if error is None else 'Failed after'} {self.seconds:.3f}s"
        if self.one_line and self.logger is None:
            self._write(f" {duration}", end="\n")
        else:
            self._write(f"{self.message} {duration}", end="\n")

    def _write(self, text: str, end: str) -> None:
        if self.logger is not None:
            self.logger.info(text)
            return
        stream = sys.stdout if self.file is None else self.file
        stream.write(text + end)
        stream.flush()
