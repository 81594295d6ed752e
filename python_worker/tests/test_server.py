"""The server as it meets orchestrators that come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from sjd2_worker.endpoint import bound
from sjd2_worker.protocol import Head, decode_head, encode
from sjd2_worker.server import serve
from sjd2_worker.worker import Reply, Worker

PATIENCE = 120_000  # milliseconds
HELLO = {"op": "hello", "id": 1, "protocol": 2}


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
        with socket.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
            with _client(endpoint) as gone:
                gone.send_multipart(encode(HELLO, {}))
            recv_monitor_message(monitor)
            socket.disable_monitor()
        with _served(socket, worker), _client(endpoint) as client:
            _ask(client, {"op": "stats", "id": 1})  # answered after that hello
            assert _ask(client, {"op": "stats", "id": 2})["leased"] == 0


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
