"""The worker as the orchestrator meets it: a process behind a socket."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zmq

from sjd2_worker.__main__ import main
from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.protocol import VERSION, Array, Head, decode_head, decode_tensors, encode, validator

from .helpers import FIRST, PROMPT, chain, close, embed, forward, reference

PATIENCE = 120  # seconds; a loaded machine takes long to import torch
ROOT = Path(__file__).parents[1]


class Client:
    """An orchestrator's end of the wire."""

    def __init__(self, endpoint: str) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)

    def ask(self, *frames: bytes | memoryview) -> tuple[Head, dict[str, Array]]:
        self.socket.send_multipart(frames)
        assert self.socket.poll(PATIENCE * 1000), "no reply"
        reply = self.socket.recv_multipart()
        head = decode_head(reply[0])
        validator("Reply")(head)
        return head, decode_tensors(head, reply[1:])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "private").mkdir(mode=0o700)
    return tmp_path / "private" / "worker.sock"


@pytest.fixture
def client(path: Path) -> Iterator[Client]:
    client = Client(f"ipc://{path}")
    yield client
    client.context.destroy()


def _words(checkpoint: Path, path: Path) -> list[str]:
    return [sys.executable, "-m", "sjd2_worker", "--model", str(checkpoint), "--endpoint", f"ipc://{path}"]


@pytest.fixture
def process(checkpoint: Path, path: Path) -> Iterator[subprocess.Popen[str]]:
    words = [*_words(checkpoint, path), "--slots", "2", "--parent", str(os.getpid())]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_serves_a_picture_and_ends(
    process: subprocess.Popen[str], client: Client, path: Path, adapter: ScenesAdapter
) -> None:
    hello, _ = client.ask(*encode({"op": "hello", "id": 1, "protocol": VERSION}, {}))
    assert (hello["slots"], hello["cells"], hello["dtype"], hello["model"]) == (2, 288, "f32", adapter.card)

    tokenized, _ = client.ask(*encode({"op": "tokenize", "id": 2, "prompts": ["Red, circle; 円!"]}, {}))
    prompt = {"conditional": PROMPT, "unconditional": [0, 0, 0, 1], "unknown": ["円"], "cut": []}
    assert tokenized["prompts"] == [prompt]

    _, embeddings = client.ask(*encode({"op": "embeddings", "id": 3}, {}))
    table = embed(adapter, range(FIRST, FIRST + 6)).numpy()
    np.testing.assert_array_equal(embeddings["table"], table)
    np.testing.assert_allclose(embeddings["mean"], table.mean(0), rtol=1e-5)
    np.testing.assert_allclose(embeddings["deviation"], table.std(0, ddof=1), rtol=1e-5)

    # sequential decoding, the likeliest code each time: a prefill, then one entry a pass
    client.ask(*encode(*forward(chain(PROMPT, 0, 0, 3))))
    ids = list(PROMPT)
    while len(ids) < 4 + 16:
        _, found = client.ask(*encode(*forward(chain(ids, 0, len(ids) - 1))))
        ids.append(FIRST + int(found["logits"][0].argmax()))
    wanted = reference(adapter, embed(adapter, ids[:-1]))[3:]
    assert [FIRST + int(row.argmax()) for row in wanted] == ids[4:]

    for frames in ([b""], [b"\xc1", b"x"], [encode({"op": "stats", "id": 5}, {})[0], b"more"]):
        assert client.ask(*frames)[0]["code"] == "bad-message"
    whole = chain(ids[:-1], 1)
    _, found = client.ask(*encode(*forward(whole)))
    close(found["logits"][3:], wanted)

    codes = np.array([ids[4:]], np.int32) - FIRST
    _, decoded = client.ask(*encode({"op": "decode", "id": 6}, {"codes": codes}))
    assert decoded["pictures"].shape == (1, 16, 16, 3)
    assert decoded["pictures"].std() > 0

    stats, _ = client.ask(*encode({"op": "stats", "id": 7}, {}))
    assert (stats["forwards"], stats["entries"]) == (1 + 16 + 1, 3 + 16 + 19)
    assert stats["cacheBytes"] == 2 * 2 * 2 * 288 * 32 * 4

    assert client.ask(*encode({"op": "shutdown", "id": 8}, {}))[0]["ok"]
    assert process.wait(PATIENCE) == 0
    assert process.stderr
    assert process.stderr.read() == ""
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_cleanly_on_a_signal(number: signal.Signals, checkpoint: Path, path: Path, client: Client) -> None:
    """Here the worker is this very process: a thread asks it, then has it signalled."""

    def interrupt() -> None:
        assert client.ask(*encode({"op": "stats", "id": 1}, {}))[0]["ok"]
        os.kill(os.getpid(), number)

    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        with ThreadPoolExecutor() as threads:
            asked = threads.submit(interrupt)
            with pytest.raises(SystemExit) as leaving:
                main(_words(checkpoint, path)[3:])
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)
    asked.result()
    assert leaving.value.code == 0
    assert list(path.parent.iterdir()) == []


def test_ends_when_its_parent_is_killed(checkpoint: Path, path: Path, client: Client) -> None:
    parent = (
        "import os, subprocess, sys; subprocess.Popen([*sys.argv[1:], '--parent', str(os.getpid())]); sys.stdin.read()"
    )
    words = [sys.executable, "-c", parent, *_words(checkpoint, path)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert client.ask(*encode({"op": "stats", "id": 1}, {}))[0]["ok"]
        process.kill()
        process.wait(PATIENCE)
        # the worker holds the other end of standard output, which is at its end once it is gone
        assert process.stdout
        assert select.select([process.stdout], [], [], PATIENCE)[0], "the worker outlives its parent"
        assert process.stdout.read() == b""
    assert list(path.parent.iterdir()) == []
