"""How long prompts may be: slots grow with them, up to where the model's positions end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sjd2_worker.adapters.base import PROMPT_CELLS, SPARE_CELLS
from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load, make_room, open_adapter
from sjd2_worker.plan import plan
from sjd2_worker.protocol import VERSION, Head
from sjd2_worker.worker import Worker

from .helpers import ask
from .lanes import Draft, logits_of, tokenized
from .recording import record
from .test_family_files import change
from .tiny_families import write_emu3, write_janus

GUIDANCE = 3.0
LONG = "a red circle " * 150  # more than PROMPT_CELLS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("janus")
    write_janus(path)
    return path


def _opened(folder: Path, prompt_cells: int | None = None) -> Worker:
    return load(folder, None, "cpu", "f32", 4, prompt_cells=prompt_cells)


def _ask(worker: Worker, op: str, **more: Any) -> Head:
    return ask(worker, {"op": op, "id": 1, **more})[0]


def test_a_worker_can_be_started_with_the_room_that_another_said_it_had(folder: Path) -> None:
    """Cells are rounded up, past the last position of the model; no prompt is longer for that."""
    worker = _opened(folder)
    adapter = worker._adapter
    assert adapter.cache.positions is not None
    adapter.cache = replace(adapter.cache, positions=adapter.cache.positions - 5)
    room = _ask(worker, "reserve", promptCells=adapter.longest_prompt)["promptCells"]
    assert room == adapter.longest_prompt == _ask(worker, "hello", protocol=VERSION)["promptCells"]
    make_room(adapter, room)


def test_slots_grow_and_keep_what_they_hold(folder: Path) -> None:
    """An image goes on in the larger slots, and a prompt that had no room has it."""
    worker, roomy = _opened(folder), _opened(folder, 600)
    hello = _ask(worker, "hello", protocol=VERSION)
    assert hello["promptCells"] == PROMPT_CELLS
    short, wanted = (tokenized(one, "a red circle", [0, 1], GUIDANCE) for one in (worker, roomy))
    reply = _ask(worker, "reserve", promptCells=470)
    length = len(worker._adapter.card["layout"])
    assert 470 <= reply["promptCells"] < 470 + 16
    assert reply["cells"] == reply["promptCells"] + length + SPARE_CELLS == worker._slots._keys.shape[3]
    torch.testing.assert_close(
        torch.from_numpy(logits_of(worker, Draft(short, [short.ids[0][0]]))[0]),
        torch.from_numpy(logits_of(roomy, Draft(wanted, [short.ids[0][0]]))[0]),
    )
    long, wanted = (tokenized(one, LONG, [2, 3], GUIDANCE) for one in (worker, roomy))
    assert len(long.ids[0]) > PROMPT_CELLS
    torch.testing.assert_close(
        torch.from_numpy(logits_of(worker, Draft(long))[0]), torch.from_numpy(logits_of(roomy, Draft(wanted))[0])
    )
    assert _ask(worker, "reserve", promptCells=5)["cells"] == reply["cells"]  # they never shrink


def test_recordings_of_smaller_slots_are_forgotten(folder: Path) -> None:
    """A replay would read and write the memory that was given back."""
    adapter = open_adapter(folder, None, torch.device("cpu"), torch.float32, {})
    worker = Worker(adapter, 2, torch.device("cpu"), torch.float32, record)
    called = _opened(folder, 400)
    prompts = [tokenized(one, "a red circle", [0, 1], GUIDANCE) for one in (worker, called)]
    for _ in range(3):
        logits_of(worker, Draft(prompts[0]))
    assert any(worker._graphs._known.values())
    _ask(worker, "reserve", promptCells=400)
    assert not worker._graphs._known
    wanted = torch.from_numpy(logits_of(called, Draft(prompts[1]))[0])
    for _ in range(3):
        torch.testing.assert_close(torch.from_numpy(logits_of(worker, Draft(prompts[0]))[0]), wanted)


def test_where_memory_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slots stay as they are, in use."""
    worker = _opened(folder)
    prompt = tokenized(worker, "a red circle", [0, 1], GUIDANCE)
    before = logits_of(worker, Draft(prompt))[0]

    def full(*_: object) -> None:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(worker._slots, "grow", full)
    reply = _ask(worker, "reserve", promptCells=1000)
    assert (reply["code"], "--prompt-cells 1000" in reply["remedy"]) == ("out-of-memory", True)
    assert _ask(worker, "hello", protocol=VERSION)["promptCells"] == PROMPT_CELLS
    assert (logits_of(worker, Draft(prompt))[0] == before).all()


def test_prompts_end_where_the_positions_do(folder: Path, tmp_path: Path) -> None:
    """A picture's and its prompt's length together; the unconditional prompt's too."""
    write_emu3(tmp_path)
    options = {"size": (8, 8)}
    whole = load(tmp_path, None, "cpu", "f32", 2, options)
    length, negative = len(whole._adapter.card["layout"]), len(whole._adapter.tokenize("").unconditional)
    for positions, refused in ((length + negative, False), (length + negative - 1, True)):
        config = {"max_position_embeddings": positions}
        change(tmp_path / "config.json", text_config={**_text_config(tmp_path), **config})
        worker = load(tmp_path, None, "cpu", "f32", 2, options)
        said = _ask(worker, "tokenize", prompts=["red"])["prompts"][0]
        assert ("refused" in said) == refused
        if refused:
            assert f"of the model's {positions} positions a picture takes {length}" in said["refused"]["message"]
            reply = _ask(worker, "reserve", promptCells=negative)
            assert (reply["code"], f"may have {negative - 1} tokens" in reply["message"]) == ("too-large", True)
            with pytest.raises(StartupError, match=f"may have {negative - 1} tokens"):
                load(tmp_path, None, "cpu", "f32", 2, options, negative)


def test_what_is_asked_for_is_planned(folder: Path) -> None:
    adapter = open_adapter(folder, None, torch.device("meta"), torch.float32, {})
    make_room(adapter, 1000)
    assert plan(adapter, torch.float32, 10, 2)["cache"] == _ask(_opened(folder, 1000), "stats")["cacheBytes"]


def _text_config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text())["text_config"]
