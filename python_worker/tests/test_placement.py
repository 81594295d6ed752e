"""Models that are large for a device: rounded weights, and layers elsewhere, as far as it goes without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from accelerate import cpu_offload
from transformers import LlamaConfig, LlamaForCausalLM

from sjd2_worker.adapters.placement import LIBRARY, rounded_bytes, spread
from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load, open_adapter
from sjd2_worker.plan import plan
from sjd2_worker.worker import Worker

from .library import Run, close, forward
from .test_families import OPTIONS
from .tiny_families import SIZES, WRITERS

PREFIXES = {"lumina": "model.", "anole": "model.", "emu3": "model.text_model.", "janus": "language_model."}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("families")
    for name, write in WRITERS.items():
        write(folder / name)
    with pytest.MonkeyPatch.context() as patch:  # bitsandbytes rounds 64 weights of a row together
        patch.setitem(SIZES, "hidden_size", 64)
        patch.setitem(SIZES, "intermediate_size", 128)
        for name in ("lumina", "emu3"):
            WRITERS[name](folder / f"wide {name}")
    return {path.name: path for path in folder.iterdir()}


def logits(worker: Worker) -> Any:
    adapter = worker._adapter
    prompt, first = adapter.tokenize("a red circle.").conditional, adapter.card["image"]["first"]
    return forward(worker, Run(0, 0, [*prompt, first, first + 3, first + 1], len(prompt)))[0]


@pytest.mark.parametrize(
    ("name", "quantize", "tolerance"),
    [*((name, "int8", 0.1) for name in WRITERS), ("wide lumina", "nf4", 0.5), ("wide emu3", "nf4", 0.5)],
)
def test_rounded_weights(folders: Mapping[str, Path], name: str, quantize: str, tolerance: float) -> None:
    """All linear layers of the decoder and nothing else; near the original; planned to the byte; of another hash.

    Random weights have no redundancy: 8 bits keep 1/254 of a row's largest, 16 values of 4 bits about a tenth.
    """
    family = name.removeprefix("wide ")
    options = OPTIONS[family] | {"quantize": quantize}
    original, worker = (load(folders[name], None, "cpu", "f32", 1, chosen) for chosen in (OPTIONS[family], options))
    adapter, before = cast(Any, worker._adapter), cast(Any, original._adapter)
    rounded = {own for own, weight in adapter._model.named_parameters() if is_rounded(weight)}
    linear = {f"{own}.weight" for own, layer in adapter._model.named_modules() if isinstance(layer, torch.nn.Linear)}
    assert rounded == {own for own in linear if own.startswith(PREFIXES[family] + "layers.")}
    assert len(rounded) == 2 * 7
    assert adapter.card["hash"] != before.card["hash"]
    sizes = {own: rounded_bytes(before._model.get_parameter(own), quantize) for own in rounded}
    assert sizes == {own: held_bytes(adapter._model.get_parameter(own)) for own in rounded}
    saved = sum(before._model.get_parameter(own).nbytes - size for own, size in sizes.items())
    chosen = (OPTIONS[family], options)
    blanks = [open_adapter(folders[name], None, torch.device("meta"), torch.float32, option) for option in chosen]
    usual, planned = (plan(blank, torch.float32, 8, 1)["weights"] for blank in blanks)
    assert planned == usual - saved
    wanted, found = logits(original), logits(worker)
    close(found, wanted, tolerance)
    assert abs(found - wanted).max() > 1e-3


def is_rounded(weight: torch.Tensor) -> bool:
    return type(weight).__name__ in ("Int8Params", "Params4bit")


def held_bytes(weight: Any) -> int:
    """With what belongs to it."""
    if type(weight).__name__ == "Int8Params":
        return int(weight.nbytes + weight.SCB.nbytes)
    return int(weight.nbytes + weight.quant_state.absmax.nbytes + weight.quant_state.code.nbytes)


def test_without_the_library(folders: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sjd2_worker.adapters.placement.find_spec", lambda name: None)
    with pytest.raises(StartupError, match=f"need {LIBRARY}") as caught:
        load(folders["janus"], None, "cpu", "f32", 1, {"quantize": "nf4"})
    assert (caught.value.code, "[quantize]'" in caught.value.remedy) == ("missing-library", True)


@pytest.mark.parametrize("family", WRITERS)
def test_layers_that_are_elsewhere(folders: Mapping[str, Path], family: str) -> None:
    """accelerate's hooks bring each layer's weights when its entries come, and change no logit: what they do for
    layers of another GPU, too.
    """
    worker = load(folders[family], None, "cpu", "f32", 1, OPTIONS[family])
    wanted, model = logits(worker), worker._adapter._model  # type: ignore[attr-defined]
    layers = model.get_submodule(PREFIXES[family] + "layers")
    for layer in layers:
        cpu_offload(layer, torch.device("cpu"))
    assert all(weight.is_meta for weight in layers.parameters())
    assert (logits(worker) == wanted).all()
    assert all(weight.is_meta for weight in layers.parameters())


def test_how_layers_are_spread() -> None:
    """By accelerate, in their order; all else is where the key/value cells are."""
    with torch.device("meta"):
        model = LlamaForCausalLM(
            LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=6, num_attention_heads=2, vocab_size=9)
        )
    each = sum(weight.nbytes for weight in model.model.layers[0].parameters())
    placed = spread(model, "model.layers", {0: 4 * each, 1: 4 * each}, torch.float32)
    assert {name: place for name, place in placed.items() if "layers" not in name} == {
        "lm_head": 0, "model.embed_tokens": 0, "model.norm": 0, "model.rotary_emb": 0,
    }  # fmt: skip
    places = [placed[f"model.layers.{number}"] for number in range(6)]
    assert places == sorted(places)
    assert {places.count(0), places.count(1)} == {3}
    with pytest.raises(StartupError, match="do not fit into the memory of 2 GPUs") as caught:
        spread(model, "model.layers", {0: 2 * each, 1: 2 * each}, torch.float32)
    assert caught.value.code == "out-of-memory"


@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="there are several GPUs")
def test_more_gpus_than_there_are(folders: Mapping[str, Path]) -> None:
    with pytest.raises(StartupError, match=r"finds \d CUDA devices, not 2") as caught:
        load(folders["janus"], None, "auto", "f32", 1, {"gpus": 2})
    assert (caught.value.code, "fewer --gpus" in caught.value.remedy) == ("wrong-torch", True)


@pytest.mark.parametrize("option", [{"quantize": "int8"}, {"gpus": 2}])
def test_a_family_that_does_not_know_it(checkpoint: Path, option: dict[str, Any]) -> None:
    with pytest.raises(StartupError, match=f"has no option --{next(iter(option))}"):
        load(checkpoint, None, "cpu", "f32", 1, option)
