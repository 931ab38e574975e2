"""Reading in a thread of its own, while what was read before is mixed and handed on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import pyarrow as pa


def read_ahead(pieces: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Gives the pieces in their order, the next of them read in a thread.

    Args:
        pieces: Where the rows come from. Only the thread touches it, from the first piece that is asked for on.
        rows: The thread goes on while fewer rows than this wait; so at most this many and one piece do.

    Yields:
        The pieces. An error while one is read is raised in its place.
    """
    ahead = _Ahead(pieces, rows)
    threading.Thread(target=ahead.read, name="emrys-loader", daemon=True).start()
    try:
        while (piece := ahead.take()) is not None:
            yield piece
    finally:
        # Also where the iteration is left early: Keras looks at one batch and goes.
        ahead.stop()


class _Ahead:
    def __init__(self, pieces: Iterator[pa.RecordBatch], rows: int) -> None:
        self._pieces = pieces
        self._rows = rows
        self._waiting: deque[pa.RecordBatch] = deque()
        self._waiting_rows = 0
        self._done = False
        self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def read(self) -> None:
        try:
            for piece in self._pieces:
                with self._changed:
                    self._waiting.append(piece)
                    self._waiting_rows += piece.num_rows
                    self._changed.notify_all()
                    del piece  # or it would be held on to until the next one is there
                    self._changed.wait_for(lambda: self._stopped or self._waiting_rows < self._rows)
                    if self._stopped:
                        break
        except BaseException as error:
            self._error = error
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def take(self) -> pa.RecordBatch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._done)
            if self._waiting:
                piece = self._waiting.popleft()
                self._waiting_rows -= piece.num_rows
                self._changed.notify_all()
                return piece
        if self._error is not None:
            raise self._error
        return None

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
