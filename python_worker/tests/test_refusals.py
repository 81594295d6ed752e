"""What the worker refuses, with which code; and that it goes on afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch

from sjd2_worker import server
from sjd2_worker.errors import RequestCode
from sjd2_worker.protocol import VERSION, Array, Head, decode_head, encode, requests, schema
from sjd2_worker.worker import MAX_ENTRIES, Worker

from .helpers import FIRST, Share, ask, forward

GOOD = Share([(0, 0)], [2, FIRST, -1], [-4, 0, 1], [0, 2], latents=[np.zeros(32, np.float32)], timesteps=[0.5])
PAIR = Share([(0, 8), (1, 6)], [2], [0], [0], guidance=3.0)

Change = Callable[[Head, dict[str, Array]], None]


def _set(tensor: str, place: int, value: float) -> Change:
    def change(_: Head, tensors: dict[str, Array]) -> None:
        tensors[tensor].reshape(-1)[place] = value

    return change


def _lane(**values: Any) -> Change:
    return lambda head, _: head["lanes"][0].update(values)


def _branch(number: int = 0, **values: Any) -> Change:
    return lambda head, _: head["lanes"][0]["branches"][number].update(values)


def _tensor(name: str, array: Array | None) -> Change:
    def change(_: Head, tensors: dict[str, Array]) -> None:
        tensors.pop(name, None)
        if array is not None:
            tensors[name] = array

    return change


REFUSED: list[tuple[str, str, Share, Change]] = [
    ("bad-token", "Token 13 lies outside", GOOD, _set("tokens", 0, 13)),
    ("bad-token", "Token -3 is neither", GOOD, _set("tokens", 0, -3)),
    ("bad-token", "Anchor 13 lies outside", GOOD, _branch(anchor=13)),
    ("bad-slot", "There is no slot 8", GOOD, _branch(slot=8)),
    ("bad-slot", "Slot 0 is named twice", PAIR, _branch(1, slot=0)),
    ("bad-slot", "too few for base 286", GOOD, _branch(base=286)),
    ("bad-slot", "a prompt of 289", GOOD, _branch(prompt=289)),
    ("too-large", f"the worker takes {MAX_ENTRIES}", GOOD, _lane(entries=MAX_ENTRIES + 1)),
    ("bad-message", "Position -5 lies outside -4 … 15", GOOD, _set("positions", 0, -5)),
    ("bad-message", "Position 16 lies outside -4 … 15", GOOD, _set("positions", 0, 16)),
    ("bad-message", "A row names", GOOD, _set("rows", 1, 3)),
    ("bad-message", "A row names", GOOD, _set("rows", 1, -1)),
    ("bad-message", "wants 4 rows of 3", GOOD, _lane(rows=4)),
    ("bad-message", "tokens has 3 values, the lanes say 2", GOOD, _lane(entries=2)),
    ("bad-message", "needs a finite guidance; it has None", PAIR, lambda head, _: head["lanes"][0].pop("guidance")),
    ("bad-message", "needs a finite guidance; it has nan", PAIR, _lane(guidance=float("nan"))),
    ("bad-message", "latents should be [1, 32]", GOOD, _tensor("latents", np.zeros((2, 32), np.float32))),
    ("bad-message", "latents should be [1, 32]", GOOD, _tensor("latents", np.zeros((1, 31), np.float32))),
    ("bad-message", "A latent is not finite", GOOD, _set("latents", 5, np.nan)),
    ("bad-message", "a timestep does not lie", GOOD, _set("timesteps", 0, 1.5)),
    ("bad-message", "Unknown tensors: vectors", GOOD, _tensor("vectors", np.zeros((1, 32), np.float32))),
    ("bad-message", "Tensor positions is missing", GOOD, _tensor("positions", None)),
    ("bad-message", "Tensor tokens is f32 [3]", GOOD, _tensor("tokens", np.zeros(3, np.float32))),
    ("bad-message", "Unknown tensors: extra", GOOD, _tensor("extra", np.zeros(3, np.float32))),
    ("bad-message", "masks take 3 bytes, tensor mask has 0", GOOD, _lane(visibility="mask")),
    ("bad-message", "masks take 0 bytes, tensor mask has 3", GOOD, _tensor("mask", np.zeros(3, np.uint8))),
    ("bad-message", "says of 2 cells before the pass, of 0 there are", GOOD, _lane(visibility="mask", before=2)),
    ("bad-message", "its visibility is chain", PAIR, _lane(before=2)),
    ("bad-message", "keep [3, 2] is not", PAIR, _lane(keep=[3, 2])),
    ("bad-message", "keep [1, 9] is not", PAIR, _lane(keep=[1, 9])),  # cell -1 of the second branch's slot
    ("bad-message", "keep [284, 288] is not", PAIR, _lane(keep=[284, 288])),
    ("bad-message", "is not an ascending list", PAIR, _lane(keep=list(range(7)))),
    # more than there is room for before the second branch's base, or either's
    ("bad-message", "end at the bases [8, 6]", PAIR, _lane(keep=list(range(2, 9)))),
    ("bad-message", "end at the bases [8, 6]", PAIR, _lane(keep=list(range(2, 11)))),
    ("bad-message", "must be one of ['f32', 'f16']", GOOD, lambda head, _: head.update(logits="f64")),
    ("bad-message", "must not contain {'speed'} properties", GOOD, lambda head, _: head.update(speed=1)),
    ("bad-message", "must contain at least 1 items", GOOD, _lane(branches=[])),
]


def test_refuses_an_id_behind_the_vectors(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """And vectors that are not as many as the request says, before a cell is touched."""
    monkeypatch.setattr(worker._adapter, "vectors", lambda prompt: torch.zeros(len(prompt), 32))
    before = worker._slots._keys.clone()
    for token, prompt, code in ((14, "a", "bad-token"), (13, "two", "bad-message"), (13, "a", None)):
        head, tensors = forward(GOOD)
        tensors["tokens"][0] = token
        assert ask(worker, {**head, "vectors": [{"prompt": prompt, "count": 1}]}, tensors)[0].get("code") == code
        assert torch.equal(before, worker._slots._keys) == (code is not None)


def test_a_family_without_vectors_has_none(worker: Worker) -> None:
    head, tensors = forward(GOOD)
    tensors["tokens"][0] = 13
    reply, _ = ask(worker, {**head, "vectors": [{"prompt": "red", "count": 1}]}, tensors)
    assert (reply["code"], "have no vectors" in reply["message"]) == ("bad-prompt", True)


TWICE: list[tuple[bool, Share]] = [
    (True, Share([(0, 3)], [FIRST], [0], [0])),
    (False, Share([(0, 2)], [FIRST], [0], [0])),
    (False, Share([(0, 4)], [FIRST], [0], [0])),
    (False, Share([(0, 3)], [FIRST], [0], [0], keep=[1])),
]


@pytest.mark.parametrize(("taken", "again"), TWICE)
def test_a_slot_is_named_again_only_to_go_on(worker: Worker, taken: bool, again: Share) -> None:
    """GOOD ends before cell 3."""
    reply, _ = ask(worker, *forward(GOOD, again))
    assert reply.get("code") == (None if taken else "bad-slot")
    assert ask(worker, *forward(again, GOOD))[0]["code"] == "bad-slot"


@pytest.mark.parametrize(("code", "says", "share", "change"), REFUSED, ids=[f"{r[0]}: {r[1]}" for r in REFUSED])
def test_refuses_and_goes_on(worker: Worker, code: str, says: str, share: Share, change: Change) -> None:
    head, tensors = forward(share)
    change(head, tensors)
    reply, _ = ask(worker, head, tensors)
    assert (reply["op"], reply["id"], reply["code"]) == ("error", head["id"], code)
    assert says in reply["message"]
    assert reply["remedy"]
    assert ask(worker, *forward(share))[0]["ok"]


def test_a_refused_pass_leaves_the_cells_alone(worker: Worker) -> None:
    before = worker._slots._keys.clone()
    head, tensors = forward(GOOD)
    tensors["tokens"][0] = 13
    assert not ask(worker, head, tensors)[0]["ok"]
    assert torch.equal(worker._slots._keys, before)


@pytest.mark.parametrize(
    ("head", "code", "says"),
    [
        (
            {"op": "hello", "id": 1, "protocol": VERSION + 1, "new": True},
            "protocol-version",
            f"speaks protocol {VERSION + 1}",
        ),
        ({"op": "sample", "id": 1}, "bad-message", "There is no operation 'sample'"),
        ({"op": ["hello"], "id": 1}, "bad-message", "There is no operation ['hello']"),
        ({"id": 1}, "bad-message", "There is no operation None"),
        ({"op": "stats", "id": -1}, "bad-message", "id must be bigger than or equal to 0"),
        ({"op": "stats", "id": True}, "bad-message", "id must be integer"),
    ],
)
def test_refuses_heads(worker: Worker, head: Head, code: str, says: str) -> None:
    reply, _ = ask(worker, head)
    assert (reply["code"], reply["id"]) == (code, 1 if head["id"] == 1 and head["id"] is not True else 0)
    assert says in reply["message"]


@pytest.mark.parametrize("codes", [np.full((1, 16), 6), np.full((1, 16), -1), np.zeros((1, 15)), np.zeros(16)])
def test_refuses_codes(worker: Worker, codes: Array) -> None:
    reply, _ = ask(worker, {"op": "decode", "id": 4}, {"codes": codes.astype(np.int32)})
    assert reply["code"] == ("bad-message" if codes.shape != (1, 16) else "bad-token")


def test_refuses_a_tensor_too_many(worker: Worker) -> None:
    codes = np.zeros((1, 16), np.int32)
    reply, _ = ask(worker, {"op": "decode", "id": 4}, {"codes": codes, "more": codes})
    assert (reply["code"], reply["message"]) == ("bad-message", "Unknown tensors: more.")


@pytest.mark.parametrize("frames", [[], [b""], [b"\xc1"], [b"\x90"], [encode({"op": "stats", "id": 1}, {})[0], b"1"]])
def test_refuses_frames(worker: Worker, frames: list[bytes]) -> None:
    reply, last = server.answer(worker, frames)
    assert decode_head(reply[0])["code"] == "bad-message"
    assert not last


def test_refuses_oversize_requests_unread(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_BYTES", 1000)
    reply, _ = ask(worker, *forward(*(Share([(slot, 0)], [2] * 40, [0] * 40) for slot in range(4))))
    assert reply["code"] == "too-large"
    assert ask(worker, {"op": "stats", "id": 1})[0]["ok"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "out-of-memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out-of-memory"),
        (MemoryError(), "out-of-memory"),
        (ZeroDivisionError("a fault"), "internal"),
    ],
)
def test_what_fails_inside_is_answered(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(worker._adapter, "forward", fail)
    assert ask(worker, *forward(GOOD))[0]["code"] == code
    monkeypatch.undo()
    assert ask(worker, *forward(GOOD))[0]["ok"]


def test_what_fails_in_an_adapter_is_told_by_its_line(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """This file stands for a user's: it is neither the package's nor a library's."""

    def fail(*_: object) -> None:
        torch.zeros(2, 3) @ torch.zeros(2, 3)

    monkeypatch.setattr(worker._adapter, "forward", fail)
    line = fail.__code__.co_firstlineno + 1
    reply, _ = ask(worker, *forward(GOOD))
    assert f"failed at {__file__}:{line}: RuntimeError" in str(reply["message"])
    assert "Mend the adapter" in str(reply["remedy"])


def test_codes_and_operations_are_the_schemas(worker: Worker) -> None:
    definitions = schema()["definitions"]
    assert list(get_args(RequestCode)) == definitions["ErrorReply"]["properties"]["code"]["enum"]
    assert set(worker.operations) == set(requests())
