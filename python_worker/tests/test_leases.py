"""Several orchestrators at one worker: each has its slots, and its own memory."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from sjd2_worker.errors import RequestError
from sjd2_worker.leases import Leases
from sjd2_worker.memory import MOST, Memory
from sjd2_worker.protocol import VERSION, Head


def _hello(**more: object) -> Head:
    return {"op": "hello", "id": 1, "protocol": VERSION, **more}


def _forward(*slots: int) -> Head:
    return {"op": "forward", "lanes": [{"branches": [{"slot": slot, "base": 7} for slot in slots]}]}


def _slots(head: Head) -> list[int]:
    return [branch["slot"] for branch in head["lanes"][0]["branches"]]


def test_each_counts_its_own_slots_from_zero() -> None:
    leases = Leases(5)
    assert leases.enter(b"a", 10, _hello(slots=2))[1] == {"slots": 2}
    assert leases.enter(b"b", 11, _hello(slots=3))[1] == {"slots": 3}
    a, b = (_slots(leases.enter(who, 10, _forward(0, 1))[0]) for who in (b"a", b"b"))
    assert len({*a, *b}) == 4
    assert leases.enter(b"x", 12, {"op": "stats"})[1] == {"slots": 5, "leased": 5}
    with pytest.raises(RequestError, match="no slot 2; there are 2"):
        leases.enter(b"a", 10, _forward(0, 2))


def test_who_wants_more_than_there_are_gets_all_of_them() -> None:
    assert Leases(5).enter(b"a", 10, _hello(slots=64))[1] == {"slots": 5}
    assert Leases(5).enter(b"a", 10, _hello())[1] == {"slots": 5}


def test_slots_are_refused_while_others_hold_them_and_free_when_these_hang_up() -> None:
    leases = Leases(4)
    leases.enter(b"a", 10, _hello(slots=3))
    with pytest.raises(RequestError, match="1 are free and 2 are wanted") as refused:
        leases.enter(b"b", 11, _hello(slots=2))
    assert refused.value.code == "busy"
    leases.hung_up(11)
    assert leases.any
    leases.hung_up(10)
    assert not leases.any
    assert leases.enter(b"b", 11, _hello(slots=4))[1] == {"slots": 4}
    with pytest.raises(RequestError) as lost:
        leases.enter(b"a", 10, _forward(0))
    assert lost.value.code == "no-lease"


def test_a_second_hello_gives_back_what_the_first_took() -> None:
    leases = Leases(4)
    for wanted in (3, 4, 2):
        assert leases.enter(b"a", 10, _hello(slots=wanted))[1] == {"slots": wanted}
    assert leases.enter(b"b", 11, _hello(slots=2))[1] == {"slots": 2}


def _beginning(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory without a name is Linux'")
def test_what_is_written_to_the_memory_can_be_read_by_its_path() -> None:
    leases = Leases(1)
    shared = leases.enter(b"a", 10, _hello(memory=True))[1]["memory"]
    path, mark = Path(shared["path"]), shared["mark"]
    assert path.parent == Path(f"/proc/{os.getpid()}/fd")
    assert _beginning(path, 33) == mark.encode() + bytes(1)
    memory = Memory()
    assert memory.mark != mark
    first, second = np.arange(6, dtype=np.float16).reshape(2, 3), np.arange(5, dtype=np.float32)
    memory.array(8192, first.shape, first.dtype)[:] = first
    memory.array(8204, second.shape, second.dtype)[:] = second
    memory.array(32, (4,), np.dtype(np.float32))[:] = 1
    written = _beginning(Path(memory.path), 8224)
    assert written[:32] == memory.mark.encode()
    assert written[8192:] == first.tobytes() + second.tobytes()
    assert memory.array(8192, (0, 7), first.dtype).shape == (0, 7)
    with pytest.raises(RequestError, match="would end behind"):
        memory.array(MOST - 8, second.shape, second.dtype)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory without a name is Linux'")
def test_the_memory_goes_with_its_lease() -> None:
    leases = Leases(1)
    path = leases.enter(b"a", 10, _hello(memory=True))[1]["memory"]["path"]
    assert Path(path).exists()
    leases.hung_up(10)
    assert not Path(path).exists()


def test_there_is_no_memory_where_files_may_not_be_long() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST - 1, hard))
    try:
        assert Leases(1).enter(b"a", 10, _hello(memory=True))[1] == {"slots": 1}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
