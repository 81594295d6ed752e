"""The server as it meets orchestrators that come and go."""

from __future__ import annotations

import socket as sockets
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.endpoint import bound
from sjd2_worker.protocol import VERSION, Head, decode_head, encode
from sjd2_worker.server import serve
from sjd2_worker.worker import Reply, Worker

from .helpers import PROMPT, chain, forward

PATIENCE = 120_000  # milliseconds
HELLO = {"op": "hello", "id": 1, "protocol": VERSION}


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    (tmp_path / "private").mkdir(mode=0o700)
    return f"ipc://{tmp_path}/private/worker.sock"


@contextmanager
def _served(socket: zmq.Socket[bytes], worker: Worker) -> Iterator[None]:
    over = Event()
    with ThreadPoolExecutor(1) as device:
        thread = Thread(target=serve, args=(socket, worker, device, over.is_set))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(PATIENCE / 1000)
    assert not thread.is_alive()


@contextmanager
def _client(endpoint: str) -> Iterator[zmq.Socket[bytes]]:
    """On leaving, what was sent is sent, and the connection is closed."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.connect(endpoint)
        yield socket


def _ask(socket: zmq.Socket[bytes], head: Head) -> Head:
    socket.send_multipart(encode(head, {}))
    assert socket.poll(PATIENCE), "no reply"
    return decode_head(socket.recv_multipart()[0])


def test_who_hangs_up_before_its_hello_is_read_holds_nothing(endpoint: str, worker: Worker) -> None:
    with bound(endpoint, None, False) as socket:
        # not the address that the server's own monitor will have: that may still be in use then
        socket.monitor("inproc://ends", zmq.EVENT_DISCONNECTED)
        with socket.context.socket(zmq.PAIR) as monitor:
            monitor.connect("inproc://ends")
            with _client(endpoint) as gone:
                gone.send_multipart(encode(HELLO, {}))
            recv_monitor_message(monitor)
            socket.disable_monitor()
        with _served(socket, worker), _client(endpoint) as client:
            _ask(client, {"op": "stats", "id": 1})  # answered after that hello
            assert _ask(client, {"op": "stats", "id": 2})["leased"] == 0


def _frame(body: bytes, more: bool) -> bytes:
    """A frame of ZMTP 3.0."""
    return bytes([0x02 | more]) + struct.pack(">Q", len(body)) + body


def _handshake(endpoint: str) -> sockets.socket:
    """A connection that speaks ZMTP 3.0 by hand, so that it can stop anywhere."""
    raw = sockets.socket(sockets.AF_UNIX)
    raw.connect(endpoint.removeprefix("ipc://"))
    raw.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
    raw.sendall(bytes([0x04, len(ready)]) + ready)
    assert len(raw.recv(100, sockets.MSG_WAITALL)) == 100  # the worker's greeting, and most of its READY
    return raw


def test_who_dies_in_the_middle_of_a_message_is_as_if_it_had_said_nothing(endpoint: str, worker: Worker) -> None:
    request = [bytes(frame) for frame in encode(*forward(chain(PROMPT, 0)))]
    with bound(endpoint, None, False) as socket, _served(socket, worker), _client(endpoint) as client:
        with ExitStack() as ends:
            dying = [ends.enter_context(_handshake(endpoint)) for _ in request]
            for one in dying:
                one.sendall(_frame(bytes(encode({**HELLO, "slots": 1}, {})[0]), False))
            stats = {"op": "stats", "id": 1}
            assert any(_ask(client, stats)["leased"] == len(dying) for _ in range(1000))
            for count, one in enumerate(dying):
                one.sendall(b"".join(_frame(frame, True) for frame in request[:count]))
                one.sendall(_frame(request[count], True)[: 9 + len(request[count]) // 2])
        # their slots are taken until their ends are known
        assert any(_ask(client, HELLO)["ok"] for _ in range(1000))
        client.send_multipart(encode(*forward(chain(PROMPT, 0))))
        assert client.poll(PATIENCE)
        assert decode_head(client.recv_multipart()[0])["ok"]
        assert _ask(client, stats)["forwards"] == 1


def test_who_ends_waits_for_the_request_that_runs_and_drops_those_that_wait(
    endpoint: str, worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    over, runs, left = Event(), Event(), Event()
    done: list[int] = []

    class Device(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(False, cancel_futures=cancel_futures)
            left.set()
            super().shutdown(wait)

    def prepare(head: Head, *_: object) -> Callable[[], Reply]:
        def run() -> Reply:
            runs.set()
            assert left.wait(PATIENCE / 1000)
            done.append(head["id"])
            return {}, {}

        over.set()
        return run

    monkeypatch.setattr(worker, "prepare", prepare)
    with bound(endpoint, None, False) as socket, _client(endpoint) as client:
        for number in (1, 2):
            client.send_multipart(encode({**HELLO, "id": number}, {}))
        serve(socket, worker, Device(1), lambda: over.is_set() and runs.is_set())
    assert done == [1]
    assert not caplog.records


@pytest.mark.parametrize("revision", [0, 1])
def test_a_peer_of_an_old_zmtp_is_left_alone(endpoint: str, worker: Worker, revision: int) -> None:
    """ZMTP 1.0, whose greeting is a length and flags, and 2.0: libzmq gives their messages no connection's number."""
    second = b"\xff" + bytes(8) + b"\x7f\x01\x05" + b"\x00\x00" + b"\x00\x02ab"
    with ExitStack() as ends:
        socket = ends.enter_context(bound(endpoint, None, False))
        ends.enter_context(_served(socket, worker))
        client = ends.enter_context(_client(endpoint))
        old = ends.enter_context(sockets.socket(sockets.AF_UNIX))
        old.connect(endpoint.removeprefix("ipc://"))
        old.sendall(second if revision else b"\x01\x00\x03\x00ab")
        for _ in range(20):
            assert _ask(client, {"op": "stats", "id": 1})["ok"]


class Panic(BaseException):
    """As a Rust library's panic is: no `Exception`."""


@pytest.mark.parametrize("kind", [Panic, SystemExit, KeyboardInterrupt])
def test_what_is_no_exception_is_a_refusal_too(
    endpoint: str,
    worker: Worker,
    adapter: ScenesAdapter,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[BaseException],
) -> None:
    def tokenize(*_: object) -> None:
        raise kind("the tokenizer broke")

    monkeypatch.setattr(adapter, "tokenize", tokenize)
    with bound(endpoint, None, False) as socket, _served(socket, worker), _client(endpoint) as client:
        assert _ask(client, HELLO)["ok"]
        reply = _ask(client, {"op": "tokenize", "id": 2, "prompts": ["red"]})
        assert (reply["ok"], reply["code"]) == (False, "internal")
        assert "the tokenizer broke" in reply["message"]
        assert _ask(client, {"op": "stats", "id": 3})["ok"]


def test_a_head_that_is_nested_too_deeply_is_a_bad_message(endpoint: str, worker: Worker) -> None:
    with bound(endpoint, None, False) as socket, _served(socket, worker), _client(endpoint) as client:
        for inner in (b"\x01", b"\xcb" + bytes(8)):  # an integer, and a float, which is looked for
            client.send(b"\x82\xa2op\xa5stats\xa2id" + b"\x91" * 900 + inner)
            assert client.poll(PATIENCE)
            assert decode_head(client.recv_multipart()[0])["code"] == "bad-message"
