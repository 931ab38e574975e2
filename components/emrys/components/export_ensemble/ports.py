"""Ports of this machine."""

from __future__ import annotations

import contextlib
import socket

from emrys.blocks.errors import ServingError


def choose_port(address: str, asked: int, held: contextlib.ExitStack) -> int:
    """Finds a free port, or makes sure that the one asked for is free.

    Args:
        address: Address to listen on.
        asked: The port; 0 takes any.
        held: Keeps the port until it is closed, so that the next choice is another one.

    Raises:
        ServingError: if another process listens on the port, or the address is not of this machine.
    """
    opened = held.enter_context(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not keep a port taken
    try:
        opened.bind((address, asked))
    except OSError as error:
        raise ServingError(
            f"the server cannot listen on {address}:{asked}",
            got=error.strerror,
            fix="Choose another port; 0 takes a free one.",
        ) from error
    return int(opened.getsockname()[1])


def reachable(address: str) -> str:
    """The address under which this machine reaches a server that listens on `address`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address, address)  # noqa: S104 - compared, not bound
