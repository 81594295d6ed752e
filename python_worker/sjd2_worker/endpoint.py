"""Where the worker listens, safely: `ipc://` in a private directory, or `tcp://` with CURVE keys."""

from __future__ import annotations

import os
import socket as sockets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator

from .errors import StartupError

HEARTBEAT, SILENCE = 5_000, 15_000  # milliseconds between two heartbeats, and after which a silent peer is gone


@contextmanager
def bound(endpoint: str, curve_secret: Path | None, insecure: bool) -> Iterator[zmq.Socket[bytes]]:
    """A bound ROUTER socket; on leaving, what was sent is flushed and an ipc socket's file removed.

    Raises `bad-endpoint`.
    """
    scheme, _, address = endpoint.partition("://")
    if scheme not in ("ipc", "tcp") or not address:
        raise _bad(f"{endpoint} is neither ipc://PATH nor tcp://HOST:PORT.", "Give --endpoint one of these forms.")
    with ExitStack() as cleaning:
        context = cleaning.enter_context(zmq.Context())
        socket: zmq.Socket[bytes] = cleaning.enter_context(context.socket(zmq.ROUTER))
        socket.linger = 1000
        socket.ipv6 = address.startswith("[")  # ZeroMQ knows IPv4 only, unless it is told
        if scheme == "tcp":  # a machine that is unplugged or asleep says no goodbye; its slots are freed all the same
            socket.heartbeat_ivl, socket.heartbeat_timeout = HEARTBEAT, SILENCE
        if scheme == "ipc":
            _check_path(Path(address))
        elif curve_secret:
            cleaning.callback(_authenticate(context, socket, curve_secret).stop)
        elif not insecure:
            message = f"{endpoint} would let anyone who reaches the port use the worker."
            raise _bad(message, "Give --curve-secret-file, or --insecure on a network that you trust.")
        _bind(socket, endpoint)
        if scheme == "ipc":
            cleaning.callback(Path(address).unlink, missing_ok=True)
        yield socket


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    others = os.umask(0o177)  # nobody else may connect to an ipc socket
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        remedy = "Choose another path or port, or end the process that holds this one."
        raise _bad(f"{endpoint} cannot be bound: {error.strerror}.", remedy) from error
    finally:
        os.umask(others)


def _check_path(path: Path) -> None:
    """An ipc socket needs a directory that is nobody else's, and a path that no other process listens on."""
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise _bad(f"{folder} cannot be used: {error.strerror}.", "Choose another directory for the socket.") from error
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise _bad(f"{folder} is open to other users.", f"Make it private: chmod 700 {folder}")
    if path.exists():
        with sockets.socket(sockets.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise _bad(f"Another process listens on {path}.", "Choose another path, or end that process.")


def _authenticate(
    context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], file: Path
) -> ThreadAuthenticator:
    """Encrypts with the secret in `file`, and lets in only those who hold the same secret."""
    try:
        shared = file.stat().st_mode & 0o077
        secret = file.read_bytes().strip()
        public = zmq.curve_public(secret)
    except (OSError, ValueError, zmq.ZMQError) as error:
        raise _bad(f"{file} holds no CURVE secret key: {error}.", "protocol/README.md says how to make one.") from error
    if shared:
        raise _bad(f"{file} can be read by other users.", f"Make it private: chmod 600 {file}")
    socket.curve_server, socket.curve_secretkey, socket.curve_publickey = True, secret, public

    class Same:
        """Knows one public key, in Z85: the one that belongs to the secret."""

        @staticmethod
        def callback(_domain: str, key: bytes) -> bool:
            return key == public

    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve_callback("*", Same())
    return authenticator


def _bad(message: str, remedy: str) -> StartupError:
    return StartupError("bad-endpoint", message, remedy)
