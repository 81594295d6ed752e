"""What is found wrong with a checkpoint folder of transformers' layout, before a weight is read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from sjd2_worker.adapters import library
from sjd2_worker.adapters.denoising import FILE
from sjd2_worker.convert.vqgan import convert
from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load
from sjd2_worker.models.transformer import TimestepEmbedding

from .library import Library, Run, close, forward
from .tiny_families import write_emu3, write_lumina

SIZE = {"lumina": (8, 8), "emu3": (4, 4)}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in SIZE}
    write_lumina(folders["lumina"])
    write_emu3(folders["emu3"])
    return folders


@pytest.fixture
def lumina(originals: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(originals["lumina"], tmp_path / "lumina")


@pytest.fixture
def emu3(originals: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(originals["emu3"], tmp_path / "emu3")


@pytest.fixture
def reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What loads weights, to wherever, fails its test."""

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("A weight was read.")

    for name in ("chameleon", "emu3"):
        monkeypatch.setattr(f"sjd2_worker.adapters.{name}.load_model", opened)
    monkeypatch.setattr("sjd2_worker.checkpoint.safe_open", opened)
    monkeypatch.setattr("sjd2_worker.checkpoint.load_file", opened)


def refused(folder: Path, size: tuple[int, int] | None = None) -> StartupError:
    with pytest.raises(StartupError) as caught:
        load(folder, None, "cpu", "f32", 1, {"size": size or SIZE[folder.name]})
    assert caught.value.remedy
    return caught.value


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.usefixtures("reads_nothing")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"])
def test_a_file_is_missing(emu3: Path, name: str) -> None:
    (emu3 / name).unlink()
    error = refused(emu3)
    assert error.code == "missing-checkpoint"
    assert str(emu3 / name) in error.message


@pytest.mark.usefixtures("reads_nothing")
def test_the_picture_decoder_is_missing(lumina: Path) -> None:
    (lumina / "vqgan.safetensors").unlink()
    error = refused(lumina)
    assert error.code == "missing-checkpoint"
    assert "vqgan.safetensors" in error.message
    assert "sjd2_worker.convert.vqgan" in error.remedy


def test_the_picture_decoder_from_metas_file(lumina: Path) -> None:
    """vqgan.ckpt: the decoder, and the encoder, in a pickle of its training."""
    decoder = load_file(lumina / "vqgan.safetensors")
    encoder, spare = {"encoder.conv_in.bias": torch.zeros(2), "quant_conv.bias": torch.zeros(2)}, torch.zeros(1)
    torch.save(
        {"state_dict": decoder | encoder | {"loss.logvar": spare}, "global_step": 3}, lumina.parent / "vqgan.ckpt"
    )
    convert(lumina.parent / "vqgan.ckpt", lumina / "new.safetensors")
    found = load_file(lumina / "new.safetensors")
    assert found.keys() == decoder.keys() | encoder.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in decoder.items())

    torch.save({"state_dict": encoder}, lumina.parent / "vqgan.ckpt")
    with pytest.raises(StartupError, match="neither Chameleon's VQ-GAN nor MoVQGAN"):
        convert(lumina.parent / "vqgan.ckpt", lumina / "new.safetensors")


@pytest.mark.usefixtures("reads_nothing")
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "consolidated.pth"])
def test_only_pickled_weights(emu3: Path, name: str) -> None:
    (emu3 / "model.safetensors").rename(emu3 / name)
    error = refused(emu3)
    assert error.code == "missing-checkpoint"
    assert f"{name} may run code" in error.remedy


@pytest.mark.usefixtures("reads_nothing")
def test_a_pickle_by_another_name(emu3: Path) -> None:
    torch.save({"a": torch.zeros(2)}, emu3 / "model.safetensors")
    error = refused(emu3)
    assert (error.code, "is a pickle" in error.message) == ("corrupt-checkpoint", True)


@pytest.mark.usefixtures("reads_nothing")
@pytest.mark.parametrize("size", [0, 5, 500, 20_000, -1])
@pytest.mark.parametrize("name", ["model.safetensors", "vqgan.safetensors"])
def test_a_file_is_truncated(lumina: Path, name: str, size: int) -> None:
    whole = (lumina / name).read_bytes()
    (lumina / name).write_bytes(whole[:size])
    error = refused(lumina)
    assert error.code == "corrupt-checkpoint"
    assert str(lumina / name) in error.message


@pytest.mark.usefixtures("reads_nothing")
def test_shards(emu3: Path) -> None:
    """An index and its files: all must be there and whole, and together make the model."""
    tensors = load_file(emu3 / "model.safetensors")
    names = sorted(tensors)
    halves = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, own in halves.items():
        save_file({name: tensors[name] for name in own}, emu3 / file, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, own in halves.items() for name in own}}
    (emu3 / "model.safetensors.index.json").write_text(json.dumps(index))
    (emu3 / "model.safetensors").unlink()
    with pytest.raises(AssertionError, match="A weight was read"):
        load(emu3, None, "cpu", "f32", 1, {"size": SIZE["emu3"]})

    (emu3 / "model-2.safetensors").rename(emu3 / "away")
    error = refused(emu3)
    assert (error.code, str(emu3 / "model-2.safetensors") in error.message) == ("missing-checkpoint", True)
    (emu3 / "model.safetensors.index.json").write_text("{")
    assert refused(emu3).code == "corrupt-checkpoint"


def narrower(config: dict[str, Any]) -> None:
    config["text_config"]["intermediate_size"] = 40


def deeper(config: dict[str, Any]) -> None:
    config["text_config"]["num_hidden_layers"] = 3


def fewer_words(config: dict[str, Any]) -> None:
    config["text_config"]["vocab_size"] = 20


def fewer_names(config: dict[str, Any]) -> None:
    del config["vocabulary_map"]["<|visual token 000003|>"]


def a_gap(config: dict[str, Any]) -> None:
    config["vocabulary_map"]["<|visual token 000011|>"] += 1


def fewer_codes(config: dict[str, Any]) -> None:
    config["vq_config"]["codebook_size"] = 8


def no_names(config: dict[str, Any]) -> None:
    del config["vocabulary_map"]


def nonsense(config: dict[str, Any]) -> None:
    config["text_config"]["num_hidden_layers"] = "two"


@pytest.mark.usefixtures("reads_nothing")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (narrower, "mlp.down_proj.weight is [32, 48] and should be [32, 40]"),
        (deeper, "model.text_model.layers.2.input_layernorm.weight is absent"),
        (fewer_words, "has ids up to 25, the model's vocabulary has 20"),
        (fewer_names, "names 11 image tokens between 14 and 25"),
        (a_gap, "names 12 image tokens between 14 and 26"),
        (fewer_codes, "one for each of its VQ model's 8 codes"),
        (no_names, "names 0 image tokens"),
        (nonsense, "num_hidden_layers"),
    ],
)
def test_a_config_that_does_not_fit(emu3: Path, spoil: Callable[[dict[str, Any]], None], says: str) -> None:
    config = json.loads((emu3 / "config.json").read_text())
    spoil(config)
    (emu3 / "config.json").write_text(json.dumps(config))
    error = refused(emu3)
    assert error.code == "wrong-config"
    assert says in error.message
    assert str(emu3) in error.message


@pytest.mark.usefixtures("reads_nothing")
@pytest.mark.parametrize("known", [False, True])
def test_a_vocabulary_without_an_images_own_tokens(lumina: Path, known: bool) -> None:
    """Absent, or of which the tokenizer would make several."""
    tokenizer = json.loads((lumina / "tokenizer.json").read_text())
    added = [token for token in tokenizer["added_tokens"] if token["content"] != "<reserved08799>"]
    if not known:
        del tokenizer["model"]["vocab"]["<reserved08799>"]
    change(lumina / "tokenizer.json", added_tokens=added, model=tokenizer["model"])
    error = refused(lumina)
    assert (error.code, "does not know <reserved08799> as a token" in error.message) == ("wrong-config", True)


@pytest.mark.usefixtures("reads_nothing")
@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json", "config.json"])
def test_a_file_is_damaged(emu3: Path, name: str) -> None:
    (emu3 / name).write_text('{"image_mean": [0.5')
    error = refused(emu3)
    assert error.code == "wrong-config"
    assert str(emu3 / name) in error.message


@pytest.mark.usefixtures("reads_nothing")
def test_another_family(emu3: Path) -> None:
    change(emu3 / "config.json", model_type="llama")
    error = refused(emu3)
    assert (error.code, "'llama'" in error.message) == ("wrong-family", True)


@pytest.mark.usefixtures("reads_nothing")
@pytest.mark.parametrize(
    ("size", "positions", "says"),
    [((6, 8), 4096, "multiples of 4 pixels"), ((16, 16), 70, "take 75 positions"), ((40, 40), 4096, "<reserved08810>")],
)
def test_sizes_that_it_does_not_draw(lumina: Path, size: tuple[int, int], positions: int, says: str) -> None:
    change(lumina / "config.json", max_position_embeddings=positions)
    error = refused(lumina, size)
    assert (error.code, says in error.message) == ("wrong-config", True)


def test_an_option_that_a_family_has_not(checkpoint: Path) -> None:
    with pytest.raises(StartupError, match="has no option --size"):
        load(checkpoint, None, "cpu", "f32", 1, {"size": (8, 8)})


@pytest.mark.parametrize("package", ["transformers", "tokenizers"])
def test_without_the_library(emu3: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """The error says the command."""
    for name in [name for name in sys.modules if name.startswith(("sjd2_worker.adapters.emu3", library.__name__))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    error = refused(emu3)
    assert error.code == "missing-library"
    assert package in error.message
    assert error.remedy.startswith(f"{sys.executable} -m pip install")
    assert error.remedy.endswith("[hf]'")


def test_the_bundled_family_needs_no_library(checkpoint: Path) -> None:
    """From a fresh interpreter, to its first logits."""
    source = f"""
import sys
sys.modules.update(dict.fromkeys(("transformers", "tokenizers", "huggingface_hub", "accelerate", "peft")))
from pathlib import Path
from sjd2_worker.loading import load
print(load(Path({str(checkpoint)!r}), None, "cpu", "f32", 1).operations["hello"]({{}}, {{}})[0]["model"]["family"])
"""
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("scenes\n", 0), ran.stderr


def test_what_fine_tuning_added(emu3: Path) -> None:
    """Latents are fed by its normalisation and its timestep embedding."""
    torch.manual_seed(0)
    timestep = TimestepEmbedding(32)
    torch.nn.init.normal_(timestep.second.weight)
    added = {f"timestep.{name}": tensor for name, tensor in timestep.state_dict().items()}
    added |= {"mean": torch.full((32,), 2.0), "deviation": torch.linspace(0.5, 1, 32)}
    save_file(added, emu3 / FILE)
    change(emu3 / "config.json", denoising={"schedule": "cosine"})
    worker = load(emu3, None, "cpu", "f32", 1, {"size": (4, 4)})
    adapter: Any = worker._adapter
    assert adapter.card["denoising"] == {"schedule": "cosine"}
    latent = np.random.default_rng(0).standard_normal(32).astype(np.float32)
    found = forward(worker, Run(0, 0, [1, 2, -1], 2, latents=[latent], timestep=0.25))[0]
    image = adapter.card["image"]
    with torch.inference_mode():
        noisy = 2 + added["deviation"] * torch.from_numpy(latent) + timestep(torch.tensor([0.25]))
        entries = torch.cat((adapter.embed(torch.tensor([1, 2])), noisy))
        text = adapter._model.model.text_model
        text.set_attn_implementation("sdpa")
        head = adapter._model.lm_head.weight[image["first"] : image["first"] + image["count"]]
        close(found, Library(text, lambda hidden: F.linear(hidden, head)).logits(entries))


@pytest.mark.usefixtures("reads_nothing")
@pytest.mark.parametrize("said", [None, {"schedule": "fast"}, "yes"])
def test_fine_tuning_that_does_not_fit(emu3: Path, said: Any) -> None:
    """Of config.json and the file beside it, neither goes without the other."""
    if said is None:
        save_file({"mean": torch.zeros(32)}, emu3 / FILE)
    else:
        change(emu3 / "config.json", denoising=said)
    error = refused(emu3)
    assert error.code == "wrong-config"
    assert str(emu3) in error.message


@pytest.mark.parametrize("spoiled", [{"mean": 32}, {"mean": 32, "deviation": 1}, {"mean": 32, "deviation": 32}])
def test_a_denoising_file_that_does_not_fit(emu3: Path, spoiled: dict[str, int]) -> None:
    save_file({name: torch.ones(width) for name, width in spoiled.items()}, emu3 / FILE)
    change(emu3 / "config.json", denoising={"schedule": "karras"})
    error = refused(emu3)
    assert (error.code, FILE in error.message) == ("wrong-config", True)


def test_the_hash_tells_what_decides_pictures(lumina: Path) -> None:
    """The weights and the size: what was begun with one is not continued with another."""
    hashes = {load(lumina, None, "cpu", "f32", 1, {"size": (side, 8)})._adapter.card["hash"] for side in (4, 8, 8)}
    assert len(hashes) == 2
    tensors = load_file(lumina / "vqgan.safetensors")
    tensors["post_quant_conv.bias"] += 1
    save_file(tensors, lumina / "vqgan.safetensors")
    assert load(lumina, None, "cpu", "f32", 1, {"size": (8, 8)})._adapter.card["hash"] not in hashes
