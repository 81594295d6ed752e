"""Folders of pictures and captions: what is read, and that all which is wrong is told before anything is computed."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sjd2_worker.errors import StartupError
from sjd2_worker.training import shards
from sjd2_worker.training.checking import TOLD, Checks
from sjd2_worker.training.examples import read_data
from sjd2_worker.training.folders import find_examples
from sjd2_worker.training.loop import StoppedError
from sjd2_worker.training.shards import write_shards

from .tuning import Tune, adapter_of, run_command, write_pictures

LONG = "red " * 20_000


@pytest.fixture(scope="module")
def janus(models: dict[str, Path]) -> Any:
    """Its prompts have a greatest length."""
    return adapter_of(models["janus"])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 4)


def told(adapter: Any, folder: Path, checks: Checks = Checks(), **more: Any) -> str:  # noqa: B008 - frozen
    """The fault that is raised before a shard is written."""
    out = folder.parent / "out"
    with pytest.raises(StartupError) as caught:
        write_shards(adapter, folder, out, 2, 4, checks=checks, **more)
    assert not out.exists()
    return f"{caught.value.message} {caught.value.remedy}"


def listed(folder: Path, *lines: bytes) -> Path:
    (folder / "captions.jsonl").write_bytes(b"\n".join(lines))
    return folder


def line(file: str = "000.png", caption: Any = "red") -> bytes:
    return json.dumps({"file": file, "caption": caption}).encode()


def test_a_mark_is_no_part_of_a_caption(pictures: Path) -> None:
    """What Windows' editor writes before UTF-8."""
    (pictures / "000.txt").write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9\r\n")
    assert find_examples(pictures)[0].caption == "café"
    listed(pictures, b"\xef\xbb\xbf" + line(caption="red"))
    assert [(e.picture, e.caption, e.faults) for e in find_examples(pictures)] == [(pictures / "000.png", "red", [])]


def test_json_lines_end_at_newlines_alone(pictures: Path) -> None:
    """Other ends of lines that Unicode has are text; empty lines, and Windows' ends of lines, are none."""
    texts = ["a\u2028b", "a\u2029b", "a\x85b", "a\x0bb"]
    lines = [json.dumps({"file": "000.png", "caption": text}, ensure_ascii=False).encode() + b"\r" for text in texts]
    listed(pictures, lines[0], b"", *lines[1:], b"  ", b"")
    found = find_examples(pictures)
    assert [example.caption for example in found] == texts
    assert [example.place for example in found] == [f"captions.jsonl, line {n} (000.png)" for n in (1, 3, 4, 5)]
    assert not any(example.faults for example in found)


def test_another_encoding_is_named_with_its_file(janus: Any, pictures: Path) -> None:
    (pictures / "000.txt").write_bytes(b"caf\xe9")
    (pictures / "001.txt").write_bytes("red".encode("utf-16"))
    (pictures / "002.txt").write_bytes("red".encode("utf-16-le"))
    message = told(janus, pictures)
    assert "3 of 4 examples" in message
    assert "000.png: 000.txt is not in UTF-8 (its byte 3 is 0xe9): save it as UTF-8" in message
    assert "001.png: 001.txt is in UTF-16: save it as UTF-8" in message
    assert "002.png: its caption holds NUL characters" in message
    listed(pictures, line(), b'{"file": "000.png", "caption": "caf\xe9"}')
    assert "captions.jsonl, line 2: is not in UTF-8 (its byte 35 is 0xe9)" in told(janus, pictures)
    (pictures / "captions.jsonl").write_bytes(line().decode().encode("utf-16"))
    assert "captions.jsonl is in UTF-16. Save it as UTF-8." in told(janus, pictures)


def test_lines_that_say_no_example(janus: Any, pictures: Path) -> None:
    lines = [b'{"file": "000.png"}', b"[1]", b"{", line(caption=None), line(caption=[1]), line(file="none.png")]
    listed(pictures, *lines, line(), line(caption=207), line(caption=True), line(file="a\0b"), b"[" * 100_000)
    message = told(janus, pictures)
    assert "9 of 11 examples" in message
    assert "captions.jsonl, line 10 (a\0b): embedded null byte" in message
    for number in (1, 2, 3, 4, 5, 9, 11):
        assert f'captions.jsonl, line {number}: it should be {{"file": "a.png", "caption": "…"}}' in message
    assert "captions.jsonl, line 6 (none.png): there is no such picture" in message


def spoilt(folder: Path) -> Path:
    """24 pictures, with every kind of fault."""
    write_pictures(folder, 24)
    (folder / "001.txt").write_text(LONG)
    (folder / "002.txt").write_text(" \n")
    (folder / "003.txt").unlink()
    (folder / "004.png").write_bytes(b"none")
    (folder / "005.png").write_bytes((folder / "005.png").read_bytes()[:-60])
    (folder / "006.txt").write_bytes(b"caf\xe9")
    (folder / "008.txt").write_text("")
    (folder / "008.png").write_bytes(b"both are at fault")
    (folder / "._007.png").write_bytes(b"what macOS leaves on other disks")
    return folder


FAULTS = (
    "001.png: caption 'red red",
    "The prompt has",
    "002.png: its caption is empty",
    "003.png: it has no caption: write 003.txt",
    "004.png: it is none of PNG",
    "005.png: it cannot be read",
    "006.png: 006.txt is not in UTF-8",
    "008.png: its caption is empty; --caption-dropout leaves captions out for guidance; it is none of PNG",
)


@pytest.mark.parametrize("command", ["shards", "finetune"])
def test_all_faults_are_told_at_once(
    models: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """Before the first step; with --skip-bad they are left out, told and counted."""
    folder, out = spoilt(tmp_path / "pictures"), tmp_path / "out"

    def run(*more: str) -> tuple[int, dict[str, Any], str]:
        if command == "finetune":
            code = run_command(monkeypatch, models["janus"], folder, out, "--steps", "2", "--window", "8", *more)
        else:
            words = ["--model", str(models["janus"]), "--data", str(folder), "--out", str(out), "--device", "cpu"]
            monkeypatch.setattr(sys, "argv", ["shards", *words, *more])
            code = shards.main()
        printed = capsys.readouterr()
        return code, json.loads(printed.out.splitlines()[-1]), printed.err

    code, said, _ = run()
    assert code == 1
    message = said["error"]["message"]
    assert f"7 of 24 examples in {folder} cannot be used" in message
    assert all(fault in message for fault in FAULTS), message
    assert "--skip-bad" in said["error"]["remedy"]
    assert not list(out.rglob("*.safetensors"))
    code, said, errors = run("--skip-bad")
    assert code == 0, said
    assert said["skipped"] == 7
    assert all(fault in errors for fault in FAULTS), errors


def test_lone_surrogates(janus: Any, pictures: Path) -> None:
    """As scraped data has them, cut in the middle of an emoji."""
    listed(pictures, line(caption="cut \ud83d"), line())
    assert "line 1 (000.png): its caption holds half a character (the lone surrogate U+D83D)" in told(janus, pictures)


def test_what_an_adapter_raises_names_the_example(janus: Any, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tokenize(prompt: str) -> Any:
        raise KeyError(prompt)

    monkeypatch.setattr(janus, "tokenize", tokenize)
    message = told(janus, pictures, Checks(skip_bad=True))
    assert "4 of 4 examples" in message
    assert "001.png: caption 'a red circle.': KeyError: 'a red circle.'" in message


def test_many_faults_are_counted(janus: Any, pictures: Path) -> None:
    listed(pictures, *[line(caption="")] * (TOLD + 30), line())
    message = told(janus, pictures)
    assert message.count("its caption is empty") == TOLD
    assert "… and 30 more" in message


def test_words_that_are_not_read_are_told(
    models: dict[str, Path], pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that looks like the terminal's markup is told as it is."""
    (pictures / "000.png").rename(pictures / "[bold].png")
    for text in pictures.glob("*.txt"):
        text.write_text("red circle")
    (pictures / "[bold].txt").write_text("red house")
    write_shards(adapter_of(models["scenes"]), pictures, tmp_path / "out", 2, 4)
    errors = capsys.readouterr().err
    assert "captions of which the model does not read all words: 1, as in [bold].png: house" in errors


def test_shards_are_checked_too(tune: Tune, models: dict[str, Path], pictures: Path, tmp_path: Path) -> None:
    """Whoever made them: another tokenizer may read their captions otherwise."""
    write_shards(adapter_of(models["janus"]), pictures, tmp_path / "good", 2, 4)
    from sjd2_worker.training.shard_files import Shard, find_shards, read_shard, write_shard

    path = find_shards(tmp_path / "good")[0]
    shard = read_shard(path)
    write_shard(path, Shard(shard.codes, [LONG, *shard.captions[1:]], shard.of, shard.pictures, shard.settings))
    more = ["--steps", "1", "--window", "8"]
    code, said = tune(models["janus"], tmp_path / "good", tmp_path / "out", *more)
    assert code == 1
    assert "shard-00000.safetensors, example 1: caption 'red red" in said["error"]["message"]
    code, said = tune(models["janus"], tmp_path / "good", tmp_path / "out", *more, "--skip-bad")
    assert (code, said.get("skipped")) == (0, 1)
    left = read_data(tmp_path / "good", adapter_of(models["janus"]), Checks(skip_bad=True))
    assert left.codes.tolist() == shard.codes[1:].tolist()
    assert left.prompt(0, True).ids.tolist() == adapter_of(models["janus"]).tokenize(shard.captions[1]).conditional


def test_a_long_check_can_be_stopped(janus: Any, pictures: Path, tmp_path: Path) -> None:
    for times, says in ((2, "were checked"), (6, "were checked"), (8, "were encoded")):
        answers = itertools.chain([False] * times, itertools.repeat(True))
        with pytest.raises(StoppedError, match=says):
            write_shards(janus, pictures, tmp_path / "out", 2, 4, checks=Checks(stopped=answers.__next__))


@pytest.mark.parametrize("held", ["pictures", "list"])
def test_other_files_beside_pictures_are_no_shards(
    tune: Tune, models: dict[str, Path], pictures: Path, tmp_path: Path, held: str
) -> None:
    """Neither one of any name, nor one named as a shard is."""
    if held == "list":
        listed(pictures, line(), line("001.png"))
    for name in ("embeddings.safetensors", "shard-00000.safetensors"):
        (pictures / name).write_bytes(b"something")
        code, said = tune(models["janus"], pictures, tmp_path / name, "--steps", "0")
        assert code == 0, said
    for path in pictures.glob("*.png"):
        path.unlink()
    (pictures / "shard-00000.safetensors").unlink()
    (pictures / "captions.jsonl").unlink(missing_ok=True)
    code, said = tune(models["janus"], pictures, tmp_path / "none", "--steps", "0")
    assert (code, "There are no pictures" in said["error"]["message"]) == (1, True)


def test_transparent_pictures_are_told(
    janus: Any, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(pictures / "000.png")
    made = write_shards(janus, pictures, tmp_path / "out", 2, 4, "black")
    assert made["background"] == "#000000"
    assert "pictures that are transparent: 1, laid on #000000 (--background)" in capsys.readouterr().err
