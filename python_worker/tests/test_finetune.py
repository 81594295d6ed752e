"""Next-clean-token fine-tuning, as the command does it, of tiny checkpoints of every family."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sjd2_worker.errors import StartupError, install
from sjd2_worker.loading import load
from sjd2_worker.training import finetune
from sjd2_worker.training import state as states
from sjd2_worker.training.subject import Subject
from sjd2_worker.worker import Worker

from .library import Run, close, forward
from .tuning import FIXED, OPTIONS, Tune, adapter_of, codes_of, run_command, write_pictures

PACKAGE = Path(__file__).parents[1]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "pictures", 24)


@pytest.mark.parametrize("family", ["anole", "lumina", "janus", "emu3", "classes", "liquid", "lumina2", "scenes"])
def test_step_0_is_the_original(
    tune: Tune,
    models: dict[str, Path],
    shards: Any,
    tmp_path: Path,
    family: str,
) -> None:
    """The same logits, bit for bit; and noise feeds what it did without a timestep embedding."""
    model, options = models[family], OPTIONS.get(family, {})
    size = ["--size", "x".join(map(str, options["size"]))] if options else []
    out = tmp_path / "out"
    code, said = tune(model, shards(model, options), out, "--steps", "0", *size)
    assert code == 0, said
    before, after = (load(folder, None, "cpu", "f32", 1, options) for folder in (model, out))
    one, other = before._adapter, after._adapter
    prompt = one.tokenize("3" if family == "classes" else "red circle").conditional
    image = (codes_of(one, 1)[0] + one.card["image"]["first"]).tolist()
    latents = list(np.random.default_rng(5).standard_normal((2, one.card["width"])).astype(np.float32))
    run = Run(0, 0, [*prompt, *image[:5], -1, -1], len(prompt), latents=latents, timestep=0.75)
    np.testing.assert_array_equal(forward(after, run), forward(before, run))
    assert one.card["denoising"] is None
    assert other.card == {**one.card, "name": other.card["name"], "hash": other.card["hash"]} | {
        "denoising": {"schedule": "cosine"}
    }
    assert other.timestep(torch.tensor([0.5])).abs().max() == 0
    torch.testing.assert_close(other.embeddings.mean, one.embeddings.mean, rtol=0, atol=0)
    torch.testing.assert_close(other.embeddings.deviation, one.embeddings.deviation, rtol=0, atol=0)


@pytest.mark.parametrize("family", ["anole", "janus"])
def test_it_learns_to_read_noise(
    tune: Tune,
    models: dict[str, Path],
    pictures: Path,
    tmp_path: Path,
    family: str,
) -> None:
    """On scenes that it did not train on; and the log says how it went."""
    more = ["--steps", "150", "--every", "50", "--held-out", "8", "--learning-rate", "2e-3", "--window", "12"]
    code, said = tune(models[family], pictures, tmp_path / "out", *more)
    assert code == 0, said
    before, after = said["before"], said["after"]
    assert after["noised"] < before["noised"] - 0.5
    assert after["clean"] <= before["clean"]
    levels = [name for name in after if name.startswith("noised ")]
    assert levels
    assert all(after[name] < before[name] for name in levels)
    adapter = adapter_of(tmp_path / "out")
    assert adapter.card["denoising"] == {"schedule": "cosine"}
    lines = [json.loads(line) for line in (tmp_path / "out" / "training" / "state.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "clean" in line] == list(range(150))
    assert [line["step"] for line in lines if "validation clean" in line] == [49, 99, 149]
    shown = read_board(tmp_path / "out" / "training")
    assert set(range(150)) == {step for tag, step in shown if tag == "clean/training"}
    assert ("noised/validation", 149) in shown
    assert ("noised/0.75-1/training", 149) in shown or any(tag == "noised/0.75-1/training" for tag, _ in shown)


def read_board(folder: Path) -> set[tuple[str, int]]:
    """Tags and steps of the scalars for TensorBoard: its files are records of a length, two checksums and an Event."""
    from tensorboardX.proto.event_pb2 import Event

    found = set()
    for path in folder.glob("events.out.tfevents.*"):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            found |= {(value.tag, event.step) for value in event.summary.value}
            at += 16 + length
    return found


def test_low_rank_additions_are_added(
    tune: Tune,
    monkeypatch: pytest.MonkeyPatch,
    models: dict[str, Path],
    shards: Any,
    tmp_path: Path,
) -> None:
    """What is written, with no trace of peft, computes what was trained; only the blocks' linear layers differ."""
    out, kept = tmp_path / "out", list[Subject]()

    def keep(*given: Any) -> Subject:
        kept.append(Subject(*given))
        return kept[0]

    monkeypatch.setattr(finetune, "Subject", keep)
    more = ["--steps", "3", "--lora", "2", "--learning-rate", "1e-2"]
    code, said = tune(models["janus"], shards(models["janus"], {}), out, *more)
    assert code == 0, said
    assert {name.split(".")[0] for name in kept[0].parameters if "lora_" not in name} == {"timestep"}
    old, new = (load_file(folder / "model.safetensors") for folder in (models["janus"], out))
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert old.keys() == new.keys()
    assert {name.rsplit(".", 2)[1] for name in changed} >= {"q_proj", "down_proj"}
    assert all(name.startswith("model.") and "layers." in name for name in changed), changed
    live, worker = kept[0].adapter, load(out, None, "cpu", "f32", 1)
    trained = Worker(live, 1, torch.device("cpu"), torch.float32)
    prompt = live.tokenize("red").conditional
    run = Run(0, 0, [*prompt, *range(live.card["image"]["first"], live.card["vocabulary"])], len(prompt))
    close(forward(worker, run)[0], forward(trained, run)[0])


def test_resumed_after_sigkill_it_ends_the_same(
    tune: Tune,
    models: dict[str, Path],
    shards: Any,
    tmp_path: Path,
) -> None:
    model, out = models["scenes"], tmp_path / "killed"
    data = shards(model, {})
    more = ["--steps", "60", "--every", "5", "--learning-rate", "1e-3", "--window", "8"]
    words = ["--model", str(model), "--data", str(data), "--out", str(out), *FIXED, *more]
    victim = subprocess.Popen(
        [sys.executable, "-m", "sjd2_worker.training.finetune", *words],
        cwd=PACKAGE,
        stdout=subprocess.DEVNULL,
        env=ONE_THREAD,
    )
    log = out / "training" / "state.jsonl"
    while victim.poll() is None and not (log.exists() and '"step": 7,' in log.read_text()):
        time.sleep(0.001)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert not (out / "config.json").exists()
    for folder in (out, tmp_path / "undisturbed"):
        code, said = tune(model, data, folder, *more)
        assert code == 0, said
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps.count(7) + steps.count(8) > 0
    assert steps.count(0) == 1, "it began anew"
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("killed", "undisturbed"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_death_while_the_state_is_written_leaves_the_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, weight = tmp_path / "state.safetensors", torch.nn.Parameter(torch.ones(3))
    states.save_state(path, 1, {"w": weight}, [], {"seed": 1})
    weight.data += 1

    def die(tensors: Any, part: Path, metadata: Any) -> None:
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(states, "save_file", die)
    with pytest.raises(KeyboardInterrupt):
        states.save_state(path, 2, {"w": weight}, [], {"seed": 1})
    assert states.load_state(path, {"w": weight}, [], {"seed": 1}) == 1
    assert weight.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("family", "steps", "shared"), [("scenes", ["3"], []), ("janus", ["2", "3"], ["--shard"])], ids=["whole", "shared"]
)
def test_two_processes_are_one_with_twice_the_batches(
    tune: Tune,
    monkeypatch: pytest.MonkeyPatch,
    models: dict[str, Path],
    shards: Any,
    tmp_path: Path,
    family: str,
    steps: list[str],
    shared: list[str],
) -> None:
    """Whether each has all weights, or its share of them; and going on from a state."""
    model = models[family]
    data = shards(model, {})
    one, two = tmp_path / "one", tmp_path / "two"
    for last in steps:
        more = ["--steps", last, "--learning-rate", "1e-3", "--window", "8"]
        code, said = tune(model, data, one, *more, "--accumulate", "2")
        assert code == 0, said
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
        words = ["--model", str(model), "--data", str(data), "--out", str(two), *FIXED, *more, *shared]
        second = subprocess.Popen(
            [sys.executable, "-m", "sjd2_worker.training.finetune", *words],
            cwd=PACKAGE, env={**ONE_THREAD, **meeting, "RANK": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with monkeypatch.context() as launched:
            for name, value in {**meeting, "RANK": "0"}.items():
                launched.setenv(name, value)
            code, said = tune(model, data, two, *more, *shared)
        assert code == 0, said
        assert (second.communicate(), second.returncode) == ((b"", b""), 0), "only the first speaks"
    for file in ("training/state.safetensors", "model.safetensors", "denoising.safetensors"):
        if not (one / file).exists():  # the bundled family has all in one
            continue
        alone, together = (load_file(folder / file) for folder in (one, two))
        assert alone.keys() == together.keys()
        for name, tensor in alone.items():
            torch.testing.assert_close(together[name], tensor, rtol=1e-4, atol=1e-6)


def test_a_share_is_not_enough_for_muon(tune: Tune, models: dict[str, Path], tmp_path: Path) -> None:
    more = ["--shard", "--optimiser", "muon"]
    code, said = tune(models["scenes"], tmp_path, tmp_path / "out", *more)
    assert (code, "needs whole matrices" in said["error"]["message"]) == (1, True)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--learning-rate", "1e-2"], "is of a run with learning_rate 0.001; this one has learning_rate 0.01"),
        (["--batch", "3"], "is of a run with batch 4; this one has batch 3"),
        (["--lora", "2"], "is of a run with lora None; this one has lora 2"),
        (["--held-out", "1"], "is of a run with held_out 0; this one has held_out 1"),
        (["--held-out", "8"], "There are 8 examples"),
    ],
)
def test_going_on_otherwise_is_refused(
    tune: Tune,
    models: dict[str, Path],
    begun: tuple[Path, Path],
    more: list[str],
    says: str,
) -> None:
    data, out = begun
    code, said = tune(models["scenes"], data, out, "--learning-rate", "1e-3", *more, "--steps", "2")
    assert (code, says in said["error"]["message"]) == (1, True), said


@pytest.fixture(scope="module")
def begun(models: dict[str, Path], shards: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Data, and a run of one step."""
    data, out = shards(models["scenes"], {}), tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as patch:
        more = ["--learning-rate", "1e-3", "--steps", "1"]
        assert run_command(patch, models["scenes"], data, out, *more) == 0
    return data, out


def test_what_fits_nothing_is_refused(
    tune: Tune,
    models: dict[str, Path],
    begun: Any,
    tmp_path: Path,
) -> None:
    """Data of another model, another schedule of noise, the model's own folder as target, a base of another model."""
    data, tuned = begun

    def refused(model: Path, *more: str, data: Path = data, out: Path = tmp_path / "out") -> str:
        code, said = tune(model, data, out, *more)
        assert code == 1
        assert not (out / "config.json").exists() or out == model
        return str(said["error"]["message"])

    assert "holds codes of {'family': 'scenes'" in refused(models["anole"])
    assert "reads noise of the schedule cosine, not karras" in refused(tuned, "--schedule", "karras")
    assert "which fine-tuning does not change" in refused(models["scenes"], out=models["scenes"])
    base = tmp_path / "base.safetensors"
    save_file({"model.head.weight": torch.ones(2, 2)}, base)
    assert "has head.weight of shape [2, 2]" in refused(models["scenes"], "--base", str(base))
    broken = tmp_path / "shard.safetensors"
    broken.write_bytes(next(data.glob("*.safetensors")).read_bytes()[:-7])
    assert "is no whole shard" in refused(models["scenes"], data=broken)
    assert "There is no" in refused(models["scenes"], data=tmp_path / "nowhere")


@pytest.mark.parametrize(("library", "more"), [("PIL", []), ("peft", ["--lora", "2"])])
def test_without_a_library(
    tune: Tune, models: dict[str, Path], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    library: str, more: list[str],
) -> None:  # fmt: skip
    """The error says the command: set-up installs what generating needs."""
    monkeypatch.delitem(sys.modules, "sjd2_worker.training.pictures", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    code, said = tune(models["scenes"], pictures, tmp_path / "out", *more)
    assert (code, said["error"]["code"]) == (1, "missing-library")
    assert said["error"]["remedy"].startswith(install("training"))


def test_another_parametrisation_is_refused(begun: tuple[Path, Path], tmp_path: Path) -> None:
    """By whoever loads it."""
    for path in begun[1].glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    values = json.loads((tmp_path / "config.json").read_text())
    assert values["denoising"] == {"schedule": "cosine", "parametrisation": "normalised"}
    values["denoising"]["parametrisation"] = "raw"
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(StartupError, match="'raw'") as caught:
        adapter_of(tmp_path)
    assert caught.value.code == "wrong-config"


@pytest.mark.parametrize("dtype", ["mixed", "bf16"])
def test_in_half_precision(
    tune: Tune,
    models: dict[str, Path],
    shards: Any,
    tmp_path: Path,
    dtype: str,
) -> None:
    """bf16 weights, or f32 ones with arithmetic in bf16: near each other, and the files keep their precision."""
    out = tmp_path / dtype
    more = ["--steps", "2", "--learning-rate", "1e-2", "--window", "8", "--held-out", "2", "--checkpointing"]
    data = shards(models["anole"], {})
    code, said = tune(models["anole"], data, out, *more, "--dtype", dtype)
    assert code == 0, said
    code, exact = tune(models["anole"], data, tmp_path / "f32", *more)
    assert code == 0, exact
    for when in ("before", "after"):
        assert said[when]["clean"] == pytest.approx(exact[when]["clean"], rel=0.05)
    assert said != exact
    before, after = (load_file(folder / "model.safetensors") for folder in (models["anole"], out))
    assert {name: tensor.dtype for name, tensor in after.items()} == {n: t.dtype for n, t in before.items()}
    assert any(not torch.equal(after[name], before[name]) for name in before)
