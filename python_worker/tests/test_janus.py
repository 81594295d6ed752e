"""Janus-Pro's prompts and files; its arithmetic is in test_families.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from sjd2_worker.adapters.janus import BEGIN, PADDING, START, JanusAdapter
from sjd2_worker.errors import RequestError, StartupError
from sjd2_worker.loading import load

from .tiny_families import write_janus


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("janus")
    write_janus(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(original: Path) -> JanusAdapter:
    return JanusAdapter(original, torch.device("cpu"), torch.float32)


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "copy")


def test_the_prompt(original: Path, adapter: JanusAdapter) -> None:
    """The chat that Janus-Pro was trained on, up to where the picture begins; without text, all of it is padding."""
    tokenizer = Tokenizer.from_file(str(original / "tokenizer.json"))
    prompt = adapter.tokenize(" a red circle ")
    names = [tokenizer.id_to_token(number) for number in prompt.conditional]
    assert names == [BEGIN, "<|User|>", ":", "a", "red", "circle", "<|Assistant|>", ":", START]
    assert [tokenizer.id_to_token(number) for number in prompt.unconditional] == [BEGIN, *[PADDING] * 7, START]
    assert len(adapter.read("red " * 300).conditional) == 306
    most = adapter.longest_prompt
    with pytest.raises(RequestError, match=rf"The prompt has {most + 7} tokens, and may have {most}: of the model's"):
        adapter.read("red " * (most + 1))


def test_what_drawing_does_not_need_is_not_kept(adapter: JanusAdapter) -> None:
    assert {name for name, _ in adapter._model.named_children()} == {
        "generation_embeddings",
        "generation_aligner",
        "generation_head",
        "language_model",
    }
    assert {name for name, _ in adapter.pictures.named_children()} == {"quantize", "post_quant_conv", "decoder"}


@pytest.mark.parametrize(
    ("part", "values", "says"),
    [
        (
            "vq_config",
            {"projection_dim": 40},
            "vq_config.projection_dim is 40 and should be text_config.hidden_size, 32",
        ),
        ("vq_config", {"image_token_embed_dim": 16}, "vq_config.image_token_embed_dim is 16 and should be"),
        ("vq_config", {"num_embeddings": 13}, "is [12, 8] and should be [13, 8]"),
        ("text_config", {"num_hidden_layers": 3}, "layers.2"),
        ("text_config", {"vocab_size": 13}, "is [14, 32] and should be [13, 32]"),
    ],
)
def test_a_config_of_another_checkpoint(copy: Path, part: str, values: dict[str, int], says: str) -> None:
    said = json.loads((copy / "config.json").read_text())
    said[part] |= values
    (copy / "config.json").write_text(json.dumps(said))
    with pytest.raises(StartupError) as caught:
        load(copy, None, "cpu", "f32", 2)
    assert (caught.value.code, says in caught.value.message) == ("wrong-config", True), caught.value.message
    assert str(copy) in caught.value.message


def test_a_tokenizer_of_another_checkpoint(copy: Path) -> None:
    path = copy / "tokenizer.json"
    path.write_text(path.read_text().replace(START, "<begin_of_sound>"))
    with pytest.raises(StartupError, match=f"does not know {START} as a token") as caught:
        load(copy, None, "cpu", "f32", 2)
    assert caught.value.code == "wrong-config"


def test_the_authors_own_layout(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "multi_modality"}')
    with pytest.raises(StartupError) as caught:
        load(tmp_path, None, "cpu", "f32", 2)
    assert (caught.value.code, "deepseek-community/Janus-Pro-1B" in caught.value.remedy) == ("wrong-family", True)
