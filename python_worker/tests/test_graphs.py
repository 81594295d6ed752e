"""Replayed forwards give what called ones give. A recording here is a list of operations on a CPU (`recording.py`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sjd2_worker import graphs
from sjd2_worker.adapters.base import Entries
from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.graphs import Replay
from sjd2_worker.lanes import read_lanes
from sjd2_worker.loading import open_adapter
from sjd2_worker.passes import pack, padded
from sjd2_worker.worker import Worker

from .conftest import SLOTS
from .helpers import FIRST, POSITIONS, PROMPT, Share, ask, chain, close, forward, logits_of
from .lanes import Draft, tokenized
from .lanes import logits_of as rows_of
from .recording import record

CPU = torch.device("cpu")
SEQUENCE = [*PROMPT, *(FIRST + code for code in (3, 1, 4, 1, 5, 0, 2, 5, 3, 5, 0, 1, 2))]
FAMILIES: dict[str, dict[str, Any]] = {
    "bundled": {}, "lumina": {"size": (8, 8)}, "anole": {}, "emu3": {"size": (8, 8)}, "janus": {}, "classes": {},
    "liquid": {}, "lumina2": {"size": (8, 8)},
}  # fmt: skip


class Counting(ScenesAdapter):
    calls = 0

    def forward(self, entries: Entries, attend: Any) -> Tensor:
        self.calls += 1
        return super().forward(entries, attend)


@pytest.fixture
def counting(checkpoint: Path) -> Counting:
    return Counting(checkpoint, CPU, torch.float32)


@pytest.fixture
def replaying(counting: Counting) -> Worker:
    return Worker(counting, SLOTS, CPU, torch.float32, record)


def _guided(ids: list[int], first: int, slots: tuple[int, int], **more: Any) -> Share:
    """Of a sequence, in two slots: in the second its first token is left out."""
    share = chain(ids, slots[0], first)
    share.branches = [(slots[0], first), (slots[1], first - 1)]
    share.guidance = 3.0
    for name, value in more.items():
        setattr(share, name, value)
    return share


def _prefilled(worker: Worker, slots: tuple[int, int]) -> None:
    logits_of(worker, chain(SEQUENCE, slots[0], 0, 6), Share([(slots[1], 0)], SEQUENCE[1:6], POSITIONS[1:6]))


def test_passes_of_one_shape(worker: Worker, replaying: Worker, counting: Counting) -> None:
    """Called twice, recorded at the second time, replayed from then on; other tokens, levels, bases and rows."""
    random = np.random.default_rng(0)
    for one in (worker, replaying):
        _prefilled(one, (0, 1))
        _prefilled(one, (2, 3))
    calls = []
    for turn in range(6):
        before = counting.calls
        ids = [*SEQUENCE[:7], *random.integers(FIRST, FIRST + 6, 6).tolist()]
        noisy = int(random.integers(1, 4))
        latents = [random.standard_normal(32).astype(np.float32) for _ in range(noisy)]
        first = _guided(ids[: 8 + turn // 2], 6, (0, 1), rows=[0])
        second = _guided([*ids[:-noisy], *[-1] * noisy], 7, (2, 3), latents=latents, timesteps=[0.5] * noisy)
        for one in (worker, replaying):
            logits_of(one, _guided(ids[:7], 6, (2, 3)))
        close(logits_of(replaying, first, second), logits_of(worker, first, second))
        calls.append(counting.calls - before)
    # the first pass of each turn has a shape of its own; each is called; called and recorded, by two calls more;
    # replayed and held to a call; then replayed
    assert calls == [2, 6, 2, 0, 0, 0]


def test_trees_and_what_is_kept_of_them(worker: Worker, replaying: Worker, counting: Counting) -> None:
    random = np.random.default_rng(1)
    for one in (worker, replaying):
        _prefilled(one, (4, 5))
    for turn in range(5):
        count = 4 + turn
        mask = np.tril(random.random((count, count)) < 0.5)
        mask[:, 0] = True
        codes = random.integers(FIRST, FIRST + 6, count).tolist()
        kept = [0, 2, 3]
        mask[3, [0, 2]], mask[2, 0], mask[3, 1], mask[2, 1] = True, True, False, False
        places = [POSITIONS[6 + sum(row)] for row in mask & ~np.eye(count, dtype=bool)]
        tree = Share([(4, 6), (5, 5)], codes, places, list(range(count)), 2.0, mask=mask)
        after = Share([(4, 9), (5, 8)], codes[:2], POSITIONS[9:11], [0, 1], 2.0, keep=[6 + node for node in kept])
        for share in (tree, after):
            close(logits_of(replaying, share), logits_of(worker, share))
    assert counting.calls == 1 + 2 * (1 + 3 + 1)  # a prompt; of two shapes, a call, a recording, a proof


def test_entries_that_see_not_all_before_them(worker: Worker, replaying: Worker, counting: Counting) -> None:
    """One recording serves passes that hide other cells, and others many, of those before."""
    random = np.random.default_rng(2)
    for one in (worker, replaying):
        _prefilled(one, (4, 5))
    for turn in range(5):
        mask = random.random((3, turn % 4 + 1 + 3)) < 0.5  # that an entry sees itself goes without saying
        codes = random.integers(FIRST, FIRST + 6, 3).tolist()
        share = Share([(4, 6), (5, 5)], codes, POSITIONS[6:9], [0, 1, 2], 2.0, mask=mask)
        close(logits_of(replaying, share), logits_of(worker, share))
    assert counting.calls == 1 + 1 + 3 + 1  # a prompt; a call, a recording, a proof


def test_where_a_slot_is_full_a_pass_stays_as_it_is(replaying: Worker, worker: Worker) -> None:
    end = replaying._limits.cells
    share = Share([(0, end - 2)], [FIRST, FIRST + 1], [0, 1], [0, 1])
    for _ in range(3):
        close(logits_of(replaying, share), logits_of(worker, share))


def test_a_tree_from_the_first_cell_on(worker: Worker, replaying: Worker) -> None:
    """What is added sees itself: not every kernel gives a number for an entry that sees nothing."""
    share = Share([(0, 0)], PROMPT, POSITIONS[:4], [0, 1, 2, 3], mask=np.eye(4, dtype=bool))
    for _ in range(4):
        close(logits_of(replaying, share), logits_of(worker, share))
    (stream,) = padded(pack(read_lanes(*forward(share), worker._limits)), 16, worker._limits.cells).streams
    assert stream.visible is not None
    np.testing.assert_array_equal(stream.visible, np.eye(16, dtype=bool))


def test_lanes_that_follow_each_other_in_a_slot(worker: Worker, replaying: Worker) -> None:
    shares = chain(SEQUENCE, 0, 0, 4), chain(SEQUENCE, 1), chain(SEQUENCE, 0, 4)
    for _ in range(4):
        close(logits_of(replaying, *shares), logits_of(worker, *shares))
    plan = pack(read_lanes(*forward(*shares), worker._limits))
    assert padded(plan, 16, worker._limits.cells) is plan  # what the first adds would lie where the other's are


def test_cells_that_others_hold_stay(worker: Worker, replaying: Worker) -> None:
    """What is rounded up is written behind a stream's entries, and in no other slot."""
    for one in (worker, replaying):
        logits_of(one, *(chain(SEQUENCE, slot) for slot in range(SLOTS)))
    for _ in range(3):
        for one in (worker, replaying):
            logits_of(one, chain(SEQUENCE, 3, 8, 2))
    for name in ("_keys", "_values"):
        wanted, found = (getattr(one._slots, name) for one in (worker, replaying))
        close(found[:, :, :, :10].numpy(), wanted[:, :, :, :10].numpy())
        others = [slot for slot in range(SLOTS) if slot != 3]
        assert found[:, others, :, 17:32].any()  # of the first pass: rounded up to 32
        close(found[:, others, :, :17].numpy(), wanted[:, others, :, :17].numpy())


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no GPU."))],
)
def test_each_family_can_be_recorded(
    models: dict[str, Path], checkpoint: Path, name: str, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No value is read on the way, and a replay gives what a call on a CPU gives. With a GPU, CUDA's own graphs do."""
    folder = checkpoint if name == "bundled" else models[name]
    called, replayed = (
        Worker(open_adapter(folder, None, on, torch.float32, FAMILIES[name]), 4, on, torch.float32, how)
        for on, how in ((CPU, None), (torch.device(device), record if device == "cpu" else graphs.cuda()))
    )
    first = called._adapter.card["image"]["first"]
    prompts = [tokenized(one, "1" if name == "classes" else "a red circle", [0, 1], 3.0) for one in (called, replayed)]
    random = np.random.default_rng(0)
    for _ in range(4):
        ids = random.integers(first, first + 6, 5).tolist()
        wanted, found = (
            rows_of(one, Draft(prompt, ids)) for one, prompt in zip((called, replayed), prompts, strict=True)
        )
        np.testing.assert_allclose(found[0], wanted[0], atol=(1e-5 if device == "cpu" else 1e-3) * wanted[0].max())
    assert capsys.readouterr().err == ""
    assert any(one and one.proven for one in replayed._graphs._known.values())


def test_prompts_alone_are_not_recorded(replaying: Worker, counting: Counting) -> None:
    """A forward of theirs has no rows: there is nothing to hold a replay to."""
    prompt = chain(PROMPT, 0, 0, 3)
    prompt.rows = []
    for _ in range(4):
        assert logits_of(replaying, prompt).shape == (0, 6)
    assert counting.calls == 4
    assert replaying._graphs.recording


def test_what_somebody_left_in_a_slot_spoils_nothing(worker: Worker, replaying: Worker) -> None:
    for one in (worker, replaying):
        one._slots._keys.fill_(torch.nan)
        one._slots._values.fill_(torch.inf)
    shares = chain(SEQUENCE, 2, 0, 3), chain(SEQUENCE, 3, 0, 12)
    found = logits_of(replaying, *shares)
    assert np.isfinite(found).all()
    close(found, logits_of(worker, *shares))


def test_recordings_make_room(replaying: Worker, counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a forward finds no memory, recordings are forgotten and it is called again; else it is told."""
    for _ in range(3):
        wanted = logits_of(replaying, chain(SEQUENCE, 0))
    plain, left = Counting.forward, [torch.OutOfMemoryError("CUDA out of memory.")]

    def short(self: Counting, entries: Entries, attend: Any) -> Tensor:
        if left:
            raise left.pop()
        return plain(self, entries, attend)

    monkeypatch.setattr(Counting, "forward", short)
    close(logits_of(replaying, *(chain(SEQUENCE, slot) for slot in (0, 1)))[: len(wanted)], wanted)
    assert not any(replaying._graphs._known.values())
    left.append(torch.OutOfMemoryError("CUDA out of memory."))
    assert ask(replaying, *forward(chain(SEQUENCE, 0)))[0]["code"] == "out-of-memory"


def _wrong(run: Callable[[], Tensor]) -> Replay:
    result = run()
    return lambda: result * 1.1


def _stale(run: Callable[[], Tensor]) -> Replay:
    result = run()
    return lambda: result


def _no_number(run: Callable[[], Tensor]) -> Replay:
    result = run()
    return lambda: torch.full_like(result, torch.nan)


def _one_is_none(run: Callable[[], Tensor]) -> Replay:
    result = run().clone()
    result[-1, -1] = torch.nan
    return lambda: result


def _refused(run: Callable[[], Tensor]) -> Replay:
    raise RuntimeError("CUDA error: operation not permitted\nCompile with `TORCH_USE_CUDA_DSA`")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (_wrong, "a replay was"),
        (_stale, "a replay was"),
        (_no_number, "a replay was"),
        (_one_is_none, "a replay was"),
        (_refused, "CUDA error: operation not permitted."),
    ],
)
def test_what_cannot_be_repeated_is_called(
    adapter: ScenesAdapter, worker: Worker, how: Any, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Worker(adapter, SLOTS, CPU, torch.float32, how)
    for turn in range(4):
        share = chain([*SEQUENCE[:-1], FIRST + turn], 0)
        close(logits_of(other, share), logits_of(worker, share))
    (line,) = capsys.readouterr().err.splitlines()  # said once
    assert line.startswith(f"CUDA graphs are not used: {says}")


def test_the_shape_that_was_used_longest_ago_is_forgotten(
    counting: Counting, replaying: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "SHAPES", 2)

    def calls(slot: int) -> int:
        before = counting.calls
        logits_of(replaying, chain(SEQUENCE, slot))
        return counting.calls - before

    # a shape, which a slot is part of, is called, recorded (two calls more), proven by a call, replayed
    assert [calls(slot) for slot in (0, 0, 0, 0, 1, 1, 2, 1, 0)] == [1, 3, 1, 0, 1, 3, 1, 1, 1]
