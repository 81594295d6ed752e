"""Where the worker listens: private, cleaned up, and over tcp only for those who hold the key."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from sjd2_worker.endpoint import bound

HANDSHAKES = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "private").mkdir(mode=0o700)
    return tmp_path / "private" / "worker.sock"


def test_only_its_user_may_connect_and_nothing_is_left(path: Path) -> None:
    with bound(f"ipc://{path}", None, False):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert list(path.parent.iterdir()) == []


def test_a_missing_directory_is_made_private(path: Path) -> None:
    with bound(f"ipc://{path.parent}/new/worker.sock", None, False):
        assert stat.S_IMODE((path.parent / "new").stat().st_mode) == 0o700


def test_a_socket_that_a_killed_worker_left_is_taken_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
        killed.listen()
    assert path.exists()
    with bound(f"ipc://{path}", None, False) as router, router.context.socket(zmq.DEALER) as dealer:
        dealer.connect(f"ipc://{path}")
        dealer.send(b"hello")
        assert router.poll(20_000)


def test_an_ipv6_address(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with bound("tcp://[::1]:*", None, True) as router, router.context.socket(zmq.DEALER) as dealer:
        dealer.ipv6 = True
        dealer.connect(router.last_endpoint)
        dealer.send(b"hello")
        assert router.poll(20_000)


@pytest.mark.parametrize("holds_the_key", [True, False])
def test_curve_lets_in_who_holds_the_key(tmp_path: Path, holds_the_key: bool) -> None:
    public, secret = zmq.curve_keypair()
    file = tmp_path / "key"
    file.write_bytes(secret + b"\n")
    file.chmod(0o600)
    with (
        bound("tcp://127.0.0.1:*", file, False) as router,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as dealer,
    ):
        dealer.linger = 0
        dealer.curve_serverkey = public  # a stranger may know it
        dealer.curve_publickey, dealer.curve_secretkey = (public, secret) if holds_the_key else zmq.curve_keypair()
        with dealer.get_monitor_socket(HANDSHAKES) as monitor:
            dealer.connect(str(router.get_string(zmq.LAST_ENDPOINT)))
            dealer.send(b"hello")
            event = recv_monitor_message(monitor)["event"]
            dealer.disable_monitor()
        assert (event == zmq.EVENT_HANDSHAKE_SUCCEEDED) == holds_the_key
        assert bool(router.poll(20_000 if holds_the_key else 0)) == holds_the_key
