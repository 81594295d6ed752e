"""Pictures as training data: each family's own image tokenizer, and the folders that pictures come in."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize
from transformers import (
    ChameleonForConditionalGeneration,
    Emu3ForConditionalGeneration,
    Emu3ImageProcessor,
    JanusForConditionalGeneration,
)

from sjd2_worker.adapters.chameleon_pictures import FILE
from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load
from sjd2_worker.models.transformer import ScenesConfig
from sjd2_worker.training.examples import read_data
from sjd2_worker.training.shards import write_shards
from sjd2_worker.training.tiny import WORDS, write

from .tiny_families import write_anole, write_emu3, write_janus, write_lumina, write_mine
from .tiny_llamagen import write_classes
from .tuning import CPU, OPTIONS, adapter_of, write_pictures


def pictures_for(adapter: Any, count: int = 3) -> torch.Tensor:
    size = adapter.card["picture"]
    values = np.random.default_rng(0).integers(0, 256, (count, size["height"], size["width"], 3))
    return torch.from_numpy(values.astype(np.uint8))


def encoded(adapter: Any, pictures: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        codes = adapter.encoder()(pictures)
    assert codes.dtype == torch.int64
    assert codes.unique().numel() > 1
    return torch.as_tensor(codes)


def test_chameleon(tmp_path: Path) -> None:
    """By the library, through the vocabulary's map to ids; scaled as Meta's own code scales."""
    write_anole(tmp_path / "anole")
    adapter = adapter_of(tmp_path / "anole")
    pictures = pictures_for(adapter)
    whole: Any = ChameleonForConditionalGeneration.from_pretrained(tmp_path / "anole")
    with torch.no_grad():
        own = whole.model.vqmodel.encode(pictures.permute(0, 3, 1, 2) / 127.5 - 1).image_tokens
        ids = whole.model.vocabulary_mapping.convert_img2bpe(own.view(3, -1))
    assert torch.equal(encoded(adapter, pictures) + adapter.card["image"]["first"], ids)


def test_lumina_encodes_where_its_picture_file_does(tmp_path: Path) -> None:
    write_lumina(tmp_path / "lumina")
    adapter = adapter_of(tmp_path / "lumina", size=(8, 12))
    with pytest.raises(StartupError, match=r"holds no encoder of pictures") as caught:
        adapter.encoder()
    assert "sjd2_worker.convert.vqgan" in caught.value.remedy
    write_anole(tmp_path / "anole")
    prefix = "model.vqmodel."
    found = load_file(tmp_path / "anole" / "model.safetensors")
    save_file({n.removeprefix(prefix): t for n, t in found.items() if n.startswith(prefix)}, tmp_path / "lumina" / FILE)
    adapter, other = adapter_of(tmp_path / "lumina", size=(8, 8)), adapter_of(tmp_path / "anole")
    pictures = pictures_for(other)
    assert torch.equal(encoded(adapter, pictures), encoded(other, pictures))


def test_emu3(tmp_path: Path) -> None:
    """By the library and its own image processor."""
    write_emu3(tmp_path / "emu3")
    whole: Any = Emu3ForConditionalGeneration.from_pretrained(tmp_path / "emu3")
    said = json.loads((tmp_path / "emu3" / "preprocessor_config.json").read_text())
    processor = Emu3ImageProcessor(**said, do_resize=False)
    pictures = pictures_for(adapter_of(tmp_path / "emu3", size=(8, 8)))
    values = processor(list(pictures.numpy()), return_tensors="pt")["pixel_values"].view(3, 3, 8, 8)
    network, codes = whole.model.vqmodel, whole.config.vq_config.codebook_size
    with torch.no_grad():
        # a codebook among what the encoder gives, else all is one code
        frames = values[:, None].repeat(1, whole.config.vq_config.temporal_downsample_factor, 1, 1, 1)
        vectors = network.quant_conv(network.encoder(frames).permute(0, 2, 1, 3, 4)).movedim(1, -1).flatten(0, -2)
        network.quantize.embedding.weight.copy_(vectors[:codes])
        own = network.encode(values, torch.tensor([[8, 8]] * 3)).image_tokens
    whole.save_pretrained(tmp_path / "emu3")
    adapter = adapter_of(tmp_path / "emu3", size=(8, 8))
    names = {f"<|visual token {code:06d}|>": code for code in range(adapter.card["image"]["count"])}
    vocabulary = whole.config.vocabulary_map
    ids = {code: vocabulary[name] for name, code in names.items()}
    wanted = [[ids[int(code)] for code in picture.flatten()] for picture in own]
    assert (encoded(adapter, pictures) + adapter.card["image"]["first"]).tolist() == wanted


@pytest.mark.parametrize("family", ["janus", "llamagen"])
def test_nearest_directions(tmp_path: Path, family: str) -> None:
    """As the published encoder has it: the vectors and the codebook on the unit sphere, the nearest by distance."""
    {"janus": write_janus, "llamagen": write_classes}[family](tmp_path / family)
    adapter: Any = adapter_of(tmp_path / family)
    network = adapter._vq
    if family == "janus":
        network = JanusForConditionalGeneration.from_pretrained(tmp_path / family).model.vqmodel
    pictures = pictures_for(adapter)
    with torch.no_grad():
        vectors = network.quant_conv(network.encoder(pictures.permute(0, 3, 1, 2) / 127.5 - 1))
        codebook = normalize(network.quantize.embedding.weight, dim=-1)
        distances = torch.cdist(normalize(vectors, dim=1).permute(0, 2, 3, 1).flatten(1, 2), codebook[None])
    assert torch.equal(encoded(adapter, pictures), distances.argmin(-1))


def test_the_bundled_family_and_ones_own(scenes: Any, tmp_path: Path) -> None:
    pictures = pictures_for(scenes)
    with torch.no_grad():
        own = scenes._tokenizer.encode(pictures.permute(0, 3, 1, 2) / 127.5 - 1)
    assert torch.equal(encoded(scenes, pictures), own.flatten(1))
    write_mine(tmp_path)
    path = Path(__file__).parents[2] / "examples" / "my_adapter.py"
    specification: Any = importlib.util.spec_from_file_location("mine", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    mine = module.load(tmp_path, CPU, torch.float32)
    codes = torch.arange(128).view(2, 64) % 12
    assert torch.equal(encoded(mine, mine.decode(codes)), codes)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """4 by 4 codes, all that its tokenizer has."""
    folder = tmp_path_factory.mktemp("scenes")
    write(folder, ScenesConfig(WORDS, 512, 4, 4, 3, layers=1, width=32, heads=2, hidden=64), seed=0, scale=3)
    return adapter_of(folder)


def test_folders_of_pictures(scenes: Any, tmp_path: Path) -> None:
    """Any sizes; with texts beside them, or listed. Shards hold all, in order, and are kept when they are there."""
    folder, adapter = write_pictures(tmp_path / "pictures", 5), scenes
    Image.new("L", (50, 20), 200).save(folder / "000.png")
    (folder / "004.txt").write_text(" red circle \n")
    out = tmp_path / "shards"
    made = write_shards(adapter, folder, out, batch=2, per_shard=3)
    assert made == {
        "examples": 5, "skipped": 0, "shards": 2, "written": 2, "encoded": 5, "background": "#ffffff",
    }  # fmt: skip
    data = read_data(out, adapter)
    assert list(data.codes.shape) == [5, 16]
    assert data.prompt(4, True).ids.tolist() == adapter.tokenize("red circle").conditional
    assert data.prompt(4, False).ids.tolist() == adapter.tokenize("").unconditional
    grey = torch.full((1, 16, 16, 3), 200, dtype=torch.uint8)
    assert torch.equal(data.codes[:1].long(), encoded_one(adapter, grey))
    (out / "shard-00001.safetensors").unlink()
    assert write_shards(adapter, folder, out, batch=2, per_shard=3) == {**made, "written": 1, "encoded": 2}
    assert torch.equal(read_data(out, adapter).codes, data.codes)
    assert write_shards(adapter, folder, out, batch=2, per_shard=3) == {**made, "written": 0, "encoded": 0}


def encoded_one(adapter: Any, pictures: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.as_tensor(adapter.encoder()(pictures))


def test_a_folder_without_pictures(scenes: Any, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="There are no pictures"):
        write_shards(scenes, tmp_path, tmp_path / "out", 2, 4)


@pytest.mark.parametrize("family", ["anole", "emu3", "janus", "classes", "scenes"])
def test_an_encoder_is_known_by_its_own_tensors(models: dict[str, Path], tmp_path: Path, family: str) -> None:
    """Whatever the dtype; another transformer changes nothing, another encoder does."""
    folder = tmp_path / family
    shutil.copytree(models[family], folder)
    options = OPTIONS.get(family, {})
    first = adapter_of(folder, **options)
    before, card = first.encoder_hash(), first.card["hash"]
    changed = set()
    for name in ("transformer", "encoder"):
        for path in folder.glob("*.safetensors"):
            tensors = load_file(path)
            encoding = [n for n in tensors if re.search(r"vqmodel|vq_model", n) or path.stem in ("vq", "tokenizer")]
            own = sorted(encoding if name == "encoder" else tensors.keys() - set(encoding))
            if own and tensors[own[0]].is_floating_point():
                tensors[own[0]] += 0.5
                save_file(tensors, path)
                changed.add(name)
        adapter = adapter_of(folder, **options)
        assert adapter.card["hash"] != card
        assert (adapter.encoder_hash() == before) == (name == "transformer")
    assert changed == {"transformer", "encoder"}
    assert load(folder, None, "cpu", "bf16", 1, options)._adapter.encoder_hash() == adapter.encoder_hash()
