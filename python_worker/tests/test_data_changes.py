"""Shards and states know what they were made of: what changed is made anew, and a run goes on where it may."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from sjd2_worker.errors import RequestError, StartupError
from sjd2_worker.training import examples as reading
from sjd2_worker.training import shards
from sjd2_worker.training.examples import Data, Examples, Prompt, read_data
from sjd2_worker.training.shard_files import find_shards, read_shard
from sjd2_worker.training.shards import write_shards

from .tuning import OPTIONS, Tune, adapter_of, write_pictures


@pytest.fixture(scope="module")
def janus(models: dict[str, Path]) -> Any:
    return adapter_of(models["janus"])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 6)


def fresh(adapter: Any, folder: Path, **more: Any) -> list[tuple[list[int], str]]:
    """Codes and captions as shards of that folder hold them that were made at once."""
    out = folder.parent / "fresh"
    shutil.rmtree(out, ignore_errors=True)
    write_shards(adapter, folder, out, 2, 2, **more)
    return held(out)


def held(out: Path) -> list[tuple[list[int], str]]:
    found = [read_shard(path) for path in find_shards(out)]
    return [pair for shard in found for pair in zip(shard.codes.tolist(), shard.captions, strict=True)]


def change_nothing(folder: Path) -> None:
    pass


def change_a_caption(folder: Path) -> None:
    (folder / "001.txt").write_text("blue")


def change_a_picture(folder: Path) -> None:
    """Of the same name, size and time."""
    path = folder / "001.png"
    Image.new("RGB", (96, 96), (1, 2, 3)).save(path)


def add_a_picture(folder: Path) -> None:
    """Before the others, so that all move up."""
    Image.new("RGB", (96, 96), (9, 9, 9)).save(folder / "0.png")
    (folder / "0.txt").write_text("grey")


def remove_pictures(folder: Path) -> None:
    for number in (1, 3, 5):
        (folder / f"00{number}.png").unlink()


def spoil_a_shard(folder: Path) -> None:
    path = folder.parent / "out" / "shard-00001.safetensors"
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize(
    ("change", "done", "says"),
    [
        (change_nothing, {"examples": 6, "shards": 3, "written": 0, "encoded": 0}, None),
        (change_a_caption, {"examples": 6, "shards": 3, "written": 1, "encoded": 0}, "captions changed: 1"),
        (change_a_picture, {"examples": 6, "shards": 3, "written": 1, "encoded": 1}, "pictures new or changed: 1"),
        (add_a_picture, {"examples": 7, "shards": 4, "written": 4, "encoded": 1}, "pictures new or changed: 1"),
        (remove_pictures, {"examples": 3, "shards": 2, "written": 2, "encoded": 0}, "pictures gone: 3"),
        (spoil_a_shard, {"examples": 6, "shards": 3, "written": 1, "encoded": 2}, "damaged shards: 1"),
    ],
)
def test_what_changed_is_made_anew(
    janus: Any, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    change: Any, done: dict[str, int], says: str | None,
) -> None:  # fmt: skip
    """As if all were; what is reported is what the shards hold."""
    out = tmp_path / "out"
    write_shards(janus, pictures, out, 2, 2)
    capsys.readouterr()
    change(pictures)
    made = write_shards(janus, pictures, out, 2, 2)
    assert made == {**done, "skipped": 0, "background": "#ffffff"}
    errors = capsys.readouterr().err
    assert (f"{out} is made anew where it differs" in errors) == (says is not None)
    assert (says or "") in errors
    assert held(out) == fresh(janus, pictures)
    assert len(held(out)) == made["examples"]


def test_another_encoder_or_background_makes_all_anew(
    janus: Any, models: dict[str, Path], pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same family with another VQ model; another transformer changes nothing."""
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(pictures / "000.png")
    out = tmp_path / "out"
    write_shards(janus, pictures, out, 2, 2)
    made = write_shards(janus, pictures, out, 2, 2, "black")
    assert (made["written"], made["encoded"], made["background"]) == (3, 6, "#000000")
    assert "shards of another model, --background or version: 3" in capsys.readouterr().err
    assert held(out) == fresh(janus, pictures, background="#000")
    assert read_shard(find_shards(out)[0]).settings["background"] == "#000000"
    for part, encoded in (("model.language_model.", 0), ("model.vqmodel.encoder.", 6)):
        folder = tmp_path / part
        shutil.copytree(models["janus"], folder)
        tensors = load_file(folder / "model.safetensors")
        save_file(
            {name: tensor * 0.7 if name.startswith(part) else tensor for name, tensor in tensors.items()},
            folder / "model.safetensors",
        )
        other = adapter_of(folder)
        made = write_shards(other, pictures, out, 2, 2, "black")
        assert made["encoded"] == encoded
        assert held(out) == fresh(other, pictures, background="#000")
    with pytest.raises(StartupError, match="holds codes of"):
        read_data(out, janus)


def test_one_picture_of_many_captions_is_encoded_once(janus: Any, pictures: Path, tmp_path: Path) -> None:
    lines = [json.dumps({"file": "000.png", "caption": text}) for text in ("red", "a circle", "red circle")]
    (pictures / "captions.jsonl").write_text("\n".join(lines))
    made = write_shards(janus, pictures, tmp_path / "out", 2, 2)
    assert (made["examples"], made["encoded"]) == (3, 1)
    codes = read_data(tmp_path / "out", janus).codes
    assert codes.tolist() == [codes[0].tolist()] * 3


def test_a_file_in_the_way_is_left_alone(janus: Any, pictures: Path, tmp_path: Path) -> None:
    """Named as a shard is, and none."""
    save_file({"codes": torch.ones(2, 2)}, tmp_path / "shard-00000.safetensors")
    with pytest.raises(StartupError, match="is in the way"):
        write_shards(janus, pictures, tmp_path, 2, 2)
    assert load_file(tmp_path / "shard-00000.safetensors")["codes"].sum() == 4


def test_the_report_counts_what_the_shards_hold(
    models: dict[str, Path], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = [
        "--model",
        str(models["janus"]),
        "--data",
        str(pictures),
        "--out",
        str(tmp_path / "out"),
        "--device",
        "cpu",
    ]
    for written in (1, 0):
        monkeypatch.setattr(sys, "argv", ["shards", *words, "--device", "cpu", "--background", "black"])
        assert shards.main() == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {
            "out": str(tmp_path / "out"), "examples": 6, "skipped": 0, "shards": 1, "written": written,
            "encoded": 6 * written, "background": "#000000",
        }  # fmt: skip


def steps_of(out: Path) -> list[int]:
    lines = (out / "training" / "state.jsonl").read_text().splitlines()
    return [said["step"] for said in map(json.loads, lines) if "clean" in said]


def test_a_state_goes_on_with_mended_captions(
    tune: Tune, models: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    """If the user says so; with other pictures it never does. The shards are mended by the same command."""
    out = tmp_path / "out"

    def run(steps: int, *more: str) -> tuple[int, dict[str, Any]]:
        return tune(models["janus"], pictures, out, "--window", "8", "--steps", str(steps), *more)

    assert run(1)[0] == 0
    (pictures / "001.txt").write_text("a blue circle.")
    code, said = run(2)
    assert code == 1
    assert "is of a run with captions " in said["error"]["message"]
    assert "The pictures are the same: with --captions-changed" in said["error"]["remedy"]
    assert read_shard(find_shards(out / "training" / "shards")[0]).captions[1] == "a blue circle."
    assert run(2, "--captions-changed")[0] == 0
    assert run(3)[0] == 0, "what changed is known from then on"
    assert steps_of(out) == [0, 1, 2]
    change_a_picture(pictures)
    (pictures / "002.txt").write_text("a circle")
    code, said = run(4, "--captions-changed")
    assert code == 1
    assert "is of a run with pictures " in said["error"]["message"]
    assert "--captions-changed" not in said["error"]["remedy"]


@pytest.mark.parametrize("family", ["anole", "emu3", "janus", "classes", "scenes"])
def test_shards_are_those_of_the_fine_tuned_model_too(
    tune: Tune, models: dict[str, Path], shards: Any, tmp_path: Path, family: str
) -> None:
    """Fine-tuning changes no encoder."""
    options = OPTIONS.get(family, {})
    size = ["--size", "x".join(map(str, options["size"]))] if options else []
    data, more = shards(models[family], options), ["--steps", "1", "--window", "8", "--learning-rate", "1e-2", *size]
    assert tune(models[family], data, tmp_path / "one", *more)[0] == 0
    code, said = tune(tmp_path / "one", data, tmp_path / "two", *more)
    assert code == 0, said


def faulty(fails: set[int]) -> Data:
    def prompt(row: int, conditional: bool) -> Prompt:
        if row in fails:
            raise RequestError("internal", f"no {row}", "")
        return Prompt(torch.tensor([row]))

    return Data(torch.arange(10)[:, None], prompt)


def test_an_example_that_fails_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """In mid-training: another stands in its stead, the same after a restart; it is told once."""
    taken = Examples(faulty({4}), range(2, 8), 6, seed=1, dropout=0.5)
    again = Examples(faulty({4}), range(2, 8), 6, seed=1, dropout=0.5)
    for number in range(4):
        prompts, codes = taken(number)
        ids = [int(prompt.ids) for prompt in prompts]
        assert codes[:, 0].tolist() == ids
        assert sorted(ids) == [2, 3, 5, 5, 6, 7]
        if number == 3:
            assert again(3)[1].tolist() == codes.tolist()
    assert taken.failed == {4}
    assert capsys.readouterr().err.count("example 5: it failed, and is left out from now on: RequestError: no 4") == 2


def test_a_run_of_which_many_examples_fail_stops() -> None:
    taken = Examples(faulty({4, 5}), range(10), 10, seed=1, dropout=0.0)
    with pytest.raises(StartupError, match=r"2 of 10 examples failed in training.*no [45]") as caught:
        taken(0)
    assert "goes on from the last state" in caught.value.remedy
    many = Data(torch.arange(1000)[:, None], faulty({4, 5, 6}).prompt)
    assert len(Examples(many, range(1000), 1000, seed=1, dropout=0.0)(0)[0]) == 1000
    with pytest.raises(StartupError, match="1 of 1 examples failed"):
        Examples(faulty({4}), range(4, 5), 1, seed=1, dropout=0.0)(0)


def test_memory_that_runs_out_is_no_fault_of_an_example() -> None:
    def prompt(row: int, conditional: bool) -> Prompt:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError):
        Examples(Data(torch.ones(3, 1), prompt), range(3), 1, 0, 0.0)(0)


def test_a_run_survives_an_example_and_counts_it(
    tune: Tune, models: dict[str, Path], shards: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reading.read_data

    def spoilt(*given: Any) -> Data:
        data = whole(*given)

        def prompt(row: int, conditional: bool) -> Prompt:
            if row == 3:
                raise OSError("a disk that has gone")
            return data.prompt(row, conditional)

        return Data(data.codes, prompt, data.captions, data.skipped)

    monkeypatch.setattr("sjd2_worker.training.finetune.read_data", spoilt)
    code, said = tune(models["janus"], shards(models["janus"], {}), tmp_path / "out", "--steps", "4", "--window", "8")
    assert (code, said.get("skipped")) == (0, 1), said
