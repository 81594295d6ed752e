"""Where the worker listens, safely: `ipc://` in a private directory, or `tcp://` with CURVE keys."""

from __future__ import annotations

import os
import socket as sockets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from .errors import StartupError

LONGEST_PATH = 107  # bytes that a Unix socket's address holds on Linux; 103 on macOS, where the bind itself refuses


@contextmanager
def bound(endpoint: str, curve_secret: Path | None, insecure: bool) -> Iterator[zmq.Socket[bytes]]:
    """A bound ROUTER socket; on leaving, what was sent is flushed and an ipc socket's file removed.

    Raises `bad-endpoint`.
    """
    scheme, _, address = endpoint.partition("://")
    context = zmq.Context()
    context.setsockopt(zmq.LINGER, 1000)
    socket = context.socket(zmq.ROUTER)
    try:
        if scheme == "ipc" and address:
            _check_path(Path(address))
        elif scheme == "tcp" and address:
            _secure(socket, curve_secret, insecure)
        else:
            raise _bad(f"{endpoint} is neither ipc://PATH nor tcp://HOST:PORT.", "Give --endpoint one of these forms.")
        mask = os.umask(0o177)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            remedy = "Choose another path or port, or end the process that holds it."
            raise _bad(f"{endpoint} cannot be bound: {error.strerror}.", remedy) from error
        finally:
            os.umask(mask)
        yield socket
    finally:
        socket.close()
        context.term()
        if scheme == "ipc" and _ours(Path(address)):
            Path(address).unlink(missing_ok=True)


def _bad(message: str, remedy: str) -> StartupError:
    return StartupError("bad-endpoint", message, remedy)
