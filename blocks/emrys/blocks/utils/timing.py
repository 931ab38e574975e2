"""How long something takes."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import TextIO


class Timing:
    """Says, around the body of a `with`, what is going on and how long it took.

    `with Timing("Reading ratings..."):` writes `Reading ratings... Done in 0.250s`.

    Args:
        message: What is going on.
        file: Stream to write to. None for standard output as it is when the body starts.
        logger: Logger to write to instead, as two records of level INFO. None for the stream.
        one_line: Whether the time stands on the message's line; otherwise the message is repeated in front of it.
    """

    #: Seconds that the body took, once it has ended.
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
        told = f"{'Done in' if error is None else 'Failed after'} {self.seconds:.3f}s"
        if self.one_line and self.logger is None:
            self._write(f" {told}", end="\n")
        else:
            self._write(f"{self.message} {told}", end="\n")

    def _write(self, text: str, end: str) -> None:
        if self.logger is not None:
            self.logger.info(text)
            return
        stream = sys.stdout if self.file is None else self.file
        stream.write(text + end)
        stream.flush()
