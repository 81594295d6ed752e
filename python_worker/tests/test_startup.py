"""What the worker says when it cannot start: one JSON line, with what to do."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import zmq
from safetensors.torch import load_file, save_file

from sjd2_worker import server
from sjd2_worker.__main__ import main
from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.errors import StartupError
from sjd2_worker.protocol import VERSION
from sjd2_worker.room import slot_bytes
from sjd2_worker.worker import Worker

from .helpers import ask


@pytest.fixture(autouse=True)
def _never_serves(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker that starts all the same fails its test. `main` sets signal handlers; pytest needs its own back."""

    def serve(*_: object) -> None:
        raise AssertionError("The worker started.")

    monkeypatch.setattr(server, "serve", serve)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    return shutil.copytree(checkpoint, tmp_path / "copy")


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    (tmp_path / "private").mkdir(mode=0o700)
    return f"ipc://{tmp_path}/private/worker.sock"


Said = dict[str, str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], endpoint: str) -> Any:
    def start(model: Path, *more: str) -> Said:
        assert main(["--model", str(model), *(more if "--endpoint" in more else ("--endpoint", endpoint, *more))]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        said: Said = json.loads(err)["error"]
        assert set(said) == {"code", "message", "remedy"}
        assert all(said.values())
        return said

    return start


def test_no_folder(refused: Any, tmp_path: Path) -> None:
    said = refused(tmp_path / "nowhere")
    assert said["code"] == "missing-checkpoint"
    assert str(tmp_path / "nowhere") in said["message"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.safetensors"])
def test_a_file_is_missing(refused: Any, copy: Path, name: str) -> None:
    (copy / name).unlink()
    said = refused(copy)
    assert said["code"] == "missing-checkpoint"
    assert str(copy / name) in said["message"]


def test_only_pickled_weights(refused: Any, copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model.pt")
    said = refused(copy)
    assert said["code"] == "missing-checkpoint"
    assert "model.pt may run code" in said["remedy"]


class _Trap:
    """Were this unpickled, it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_by_another_name(refused: Any, copy: Path, tmp_path: Path, protocol: int) -> None:
    (copy / "model.safetensors").write_bytes(pickle.dumps(_Trap(tmp_path / "trap"), protocol))
    assert refused(copy)["code"] == "corrupt-checkpoint"
    torch.save({"a": torch.zeros(2)}, copy / "model.safetensors")
    said = refused(copy)
    assert (said["code"], "is a pickle" in said["message"]) == ("corrupt-checkpoint", True)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.safetensors"])
@pytest.mark.parametrize("size", [0, 5, 500, -1])
def test_a_file_is_truncated(refused: Any, copy: Path, name: str, size: int) -> None:
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[:size])
    said = refused(copy)
    assert said["code"] == "corrupt-checkpoint"
    assert str(copy / name) in said["message"]


def test_a_header_is_damaged(refused: Any, copy: Path) -> None:
    whole = bytearray((copy / "model.safetensors").read_bytes())
    whole[20:40] = b"\xff" * 20
    (copy / "model.safetensors").write_bytes(whole)
    assert refused(copy)["code"] == "corrupt-checkpoint"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"width": 48, "hidden": 64}, "transformer.blocks.0.down.weight is [32, 64] and should be [48, 64]"),
        ({"layers": 3}, "transformer.blocks.2.down.weight is absent and should be [32, 64]"),
        ({"layers": 1}, "transformer.blocks.1.down.weight is [32, 64] and should be absent"),
        ({"width": 16}, "width / heads is 16 / 2 and should be even and at least 12"),
        ({"codes": 513}, "codes is 513"),
        ({"rows": "four"}, "rows is 'four' and should be a positive whole number"),
        ({"layers": True}, "layers is True"),
        ({"words": "red"}, "words should be a list of strings"),
        ({"denoising": {"schedule": "fast"}}, "should be a schedule, one of karras, cosine, linear"),
        ({"denoising": None}, "is of a fine-tuned model, config.json beside it is not"),
        ({"sampling": {"topK": -1}}, "sampling.topK must be bigger"),
        ({"sampling": "greedy"}, "sampling must be object"),
        ({"name": 7}, "name must be string"),
    ],
    ids=str,
)
def test_a_config_that_does_not_fit(refused: Any, copy: Path, change: Any, says: str) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    said = refused(copy)
    assert said["code"] == "wrong-config"
    assert says in said["message"]
    assert str(copy) in said["message"]


def test_denoising_without_its_weights(refused: Any, copy: Path) -> None:
    path = copy / "model.safetensors"
    save_file({name: t for name, t in load_file(path).items() if not name.startswith("timestep.")}, path)
    said = refused(copy)
    assert said["code"] == "wrong-config"
    assert "model.safetensors beside it is not" in said["message"]


@pytest.mark.parametrize("stored", [{"mean": 32}, {"mean": 32, "deviation": 1}, {"deviation": 32}])
def test_a_normalisation_of_another_width(refused: Any, copy: Path, stored: dict[str, int]) -> None:
    path = copy / "model.safetensors"
    save_file(load_file(path) | {f"denoising.{name}": torch.ones(width) for name, width in stored.items()}, path)
    said = refused(copy)
    assert said["code"] == "wrong-config"
    assert "and should be [32]" in said["message"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '"scenes"', "\xff"])
def test_a_config_that_is_no_object(refused: Any, copy: Path, text: str) -> None:
    (copy / "config.json").write_bytes(text.encode("latin-1"))
    assert refused(copy)["code"] == "wrong-config"


def test_a_family_nobody_knows(refused: Any, copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "llama"}')
    said = refused(copy)
    assert said["code"] == "wrong-family"
    assert "'llama'; there are scenes" in said["message"]


@pytest.mark.parametrize(
    ("source", "says"),
    [("def load(", "SyntaxError"), ("1 / 0", "ZeroDivisionError"), ("x = 1", "no function `load"), (None, "No such")],
)
def test_an_adapter_that_does_not_load(refused: Any, copy: Path, tmp_path: Path, source: str, says: str) -> None:
    if source is not None:
        (tmp_path / "mine.py").write_text(source)
    said = refused(copy, "--adapter", str(tmp_path / "mine.py"))
    assert said["code"] == "wrong-family"
    assert says in said["message"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return undefined", r"mine\.py:3: NameError: .*undefined"),
        ("torch.zeros(2, 3) @ torch.zeros(2, 3)", r"mine\.py:3: RuntimeError"),
        ("return 7", "gave no Adapter, but 7"),
    ],
)
def test_an_adapter_that_fails(refused: Any, copy: Path, tmp_path: Path, body: str, says: str) -> None:
    (tmp_path / "mine.py").write_text(f"import torch\ndef load(folder, device, dtype):\n    {body}\n")
    said = refused(copy, "--adapter", str(tmp_path / "mine.py"))
    assert (said["code"], "dapter" in said["remedy"]) == ("wrong-family", True)
    assert re.search(says, said["message"])


def test_a_pointer_of_git_lfs(refused: Any, copy: Path) -> None:
    (copy / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n")
    said = refused(copy)
    assert (said["code"], f"git -C {copy} lfs pull" in said["remedy"]) == ("corrupt-checkpoint", True)


def test_a_file_in_place_of_a_folder(refused: Any, copy: Path) -> None:
    said = refused(copy / "model.safetensors")
    assert said["message"] == f"{copy / 'model.safetensors'} is a file."


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_cuda(refused: Any, checkpoint: Path) -> None:
    said = refused(checkpoint, "--device", "cuda")
    assert (said["code"], "--device cpu" in said["remedy"]) == ("wrong-torch", True)


def test_an_old_torch(refused: Any, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "1.13.1")
    said = refused(checkpoint)
    assert (said["code"], "2.6" in said["remedy"]) == ("wrong-torch", True)


def test_no_memory_for_a_single_image(refused: Any, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sjd2_worker.room.free_memory", lambda _: 100_000)
    said = refused(checkpoint, "--slots", "8")
    assert (said["code"], "more memory" in said["remedy"]) == ("out-of-memory", True)


def test_memory_for_some_of_the_slots(adapter: ScenesAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those are there; the orchestrator lets images wait for them."""
    device, dtype = torch.device("cpu"), torch.float32
    each = sum(slot_bytes(adapter, dtype).values())
    for free, slots in ((5 * each + 1, 5), (8 * each, 8), (9 * each, 8), (2 * each, 2)):
        monkeypatch.setattr("sjd2_worker.room.free_memory", lambda _, free=free: free)
        worker = Worker(adapter, 8, device, dtype)
        assert worker.slots == ask(worker, {"op": "hello", "id": 1, "protocol": VERSION})[0]["slots"] == slots
    monkeypatch.setattr("sjd2_worker.room.free_memory", lambda _: 2 * each - 1)
    with pytest.raises(StartupError, match="2 slots of 288 cells"):
        Worker(adapter, 8, device, dtype)


def test_more_weights_than_memory(refused: Any, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def load(*_): raise MemoryError")
    said = refused(checkpoint, "--adapter", str(tmp_path / "mine.py"))
    assert (said["code"], "no room for the weights" in said["message"]) == ("out-of-memory", True)


def test_a_directory_that_others_enter(refused: Any, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    said = refused(checkpoint, "--endpoint", f"ipc://{tmp_path}/open/worker.sock")
    assert (said["code"], "chmod 700" in said["remedy"]) == ("bad-endpoint", True)


def test_a_socket_that_is_taken(refused: Any, checkpoint: Path, endpoint: str) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(endpoint.removeprefix("ipc://"))
        other.listen()
        said = refused(checkpoint)
    assert (said["code"], "Another process listens" in said["message"]) == ("bad-endpoint", True)


@pytest.mark.parametrize("endpoint", ["worker.sock", "ipc://", "http://localhost", "ipc:///private/" + "x" * 120])
def test_an_endpoint_that_is_none(refused: Any, checkpoint: Path, endpoint: str, tmp_path: Path) -> None:
    wanted = endpoint.replace("/private", f"{tmp_path}/private")
    assert refused(checkpoint, "--endpoint", wanted)["code"] == "bad-endpoint"


def test_a_port_that_is_taken(refused: Any, checkpoint: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = refused(checkpoint, "--endpoint", f"tcp://127.0.0.1:{other.getsockname()[1]}", "--insecure")
    assert (said["code"], "cannot be bound" in said["message"]) == ("bad-endpoint", True)


def test_tcp_without_keys(refused: Any, checkpoint: Path) -> None:
    said = refused(checkpoint, "--endpoint", "tcp://127.0.0.1:1")
    assert (said["code"], "--insecure" in said["remedy"]) == ("bad-endpoint", True)


@pytest.mark.parametrize(("text", "mode"), [("short", 0o600), ("", 0o600), (None, 0o600), ("key", 0o644)])
def test_a_key_that_is_none(refused: Any, checkpoint: Path, tmp_path: Path, text: str | None, mode: int) -> None:
    file = tmp_path / "key"
    if text is not None:
        file.write_bytes(zmq.curve_keypair()[1] if text == "key" else text.encode())
        file.chmod(mode)
    said = refused(checkpoint, "--endpoint", "tcp://127.0.0.1:1", "--curve-secret-file", str(file))
    assert said["code"] == "bad-endpoint"
    assert str(file) in said["message"]


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_and_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(words)
    assert leaving.value.code == 0
    assert "sjd2" in capsys.readouterr().out
