"""`plan` and `check` on folders of the published models' real shapes (tests/real_shapes.py): memory and sizes.

Weights are counted here a second time, by closed formulas of the published numbers, apart from any module.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sjd2_worker.check import check
from sjd2_worker.plan import plan_arguments

from . import real_shapes as real

BF16, F32 = 2, 4  # bytes


def decoder(vocabulary: int, width: int, layers: int, keys: int, hidden: int) -> int:
    """Parameters of a Llama without its head. `keys`: width of all keys of an entry."""
    return vocabulary * width + layers * (2 * width**2 + 2 * width * keys + 3 * width * hidden + 2 * width) + width


def convolution(inner: int, outer: int, side: int = 3) -> int:
    return inner * outer * side**2 + outer


def residual(inner: int, outer: int) -> int:
    """Two norms and convolutions, and a third one where the widths differ."""
    both = 2 * inner + convolution(inner, outer) + 2 * outer + convolution(outer, outer)
    return both + (convolution(inner, outer, 1) if inner != outer else 0)


def attention(width: int) -> int:
    return 2 * width + 4 * convolution(width, width, 1)


def vq_decoder(dimensions: int, codes: int, attends: bool) -> int:
    """Of a VQ-GAN with 128 channels, multiplied by 1, 1, 2, 2, 4: its code book and what makes pictures of codes."""
    widths = [512, 256, 256, 128, 128]  # from the coarsest level on
    total = codes * dimensions + convolution(dimensions, 256, 1) + convolution(256, 512)
    total += 2 * residual(512, 512) + attention(512)
    for inner, outer in zip([512, *widths], widths, strict=False):
        total += residual(inner, outer) + 2 * residual(outer, outer)
    total += 3 * attention(512) if attends else 0
    total += sum(convolution(width, width) for width in widths[:-1])  # each level but the finest makes it larger
    return total + 2 * 128 + convolution(128, 3)


def vq_encoder(dimensions: int) -> int:
    widths = [128, 128, 256, 256, 512]
    total = convolution(3, 128) + 2 * residual(512, 512) + attention(512) + 2 * attention(512)
    for inner, outer in zip([128, *widths], widths, strict=False):
        total += residual(inner, outer) + residual(outer, outer)
    total += sum(convolution(width, width) for width in widths[:-1])
    return total + 2 * 512 + convolution(512, 256) + convolution(256, dimensions, 1)


def normalisation(width: int) -> int:
    """Bytes of the codes' mean and deviation, which every adapter holds in f32."""
    return 2 * width * F32


def lumina(width: int, layers: int, keys: int, hidden: int, groups: int) -> int:
    norms = layers * 2 * 2 * groups * 128  # of queries and keys, weight and bias
    model = decoder(65_536, width, layers, keys, hidden) + 65_536 * width + norms
    return model * BF16 + vq_decoder(256, 8192, False) * F32 + 8192 * 8 + normalisation(width)


def janus(width: int, layers: int, hidden: int) -> int:
    aligner = convolution(8, width, 1) + convolution(width, width, 1)
    head = convolution(width, width, 1) + convolution(width, 16_384, 1)
    drawing = 16_384 * 8 + aligner + head + 16_384 * width  # and, made once, what each code feeds
    model = decoder(102_400, width, layers, width, hidden) + drawing
    return model * BF16 + vq_decoder(8, 16_384, True) * F32 + normalisation(width)


def llamagen(size: str, condition: int) -> int:
    layers, width, _, hidden, _ = real.LLAMAGEN[size]
    model = decoder(16_384, width, layers, width, hidden) + 16_384 * width + condition
    return model * BF16 + (vq_decoder(8, 16_384, True) + vq_encoder(8)) * F32 + normalisation(width)


def emu3_pictures() -> int:
    """Bytes in f32 of code book and decoder: four levels of 256 channels times 4, 2, 2, 1, over time as well."""
    widths = [1024, 512, 512, 256]

    def spatial(width: int) -> int:
        """A norm whose scale and shift are convolutions of the codes' 4 values."""
        return 2 * width + 2 * convolution(4, width, 1)

    def block(inner: int, outer: int) -> int:
        both = spatial(inner) + convolution(inner, outer) + spatial(outer) + convolution(outer, outer)
        return both + (convolution(inner, outer, 1) if inner != outer else 0)

    def attend(width: int) -> int:
        return spatial(width) + 4 * convolution(width, width, 1)

    def over_time(inner: int, outer: int) -> int:
        return inner * outer * 27 + outer

    total = 32_768 * 4 + 4 * 4 * 3 + 4  # the code book, and a convolution over time alone
    total += 2 * (2 * over_time(4, 4) + 2 * 4 * 4) + 2 * over_time(4, 4)  # norms of 4 with their running statistics
    total += convolution(4, 1024) + 2 * block(1024, 1024) + attend(1024)
    for inner, outer in zip([1024, *widths], widths, strict=False):
        total += block(inner, outer) + 2 * block(outer, outer)
    total += 3 * attend(1024) + sum(convolution(width, width) for width in widths[:-1])
    return (total + spatial(256) + convolution(256, 3)) * F32 + 4 * 8  # and four counters


def emu3() -> int:
    model = decoder(184_622, 4096, 32, 1024, 14_336) + 184_622 * 4096
    return model * BF16 + emu3_pictures() + 32_768 * 8 + 2 * 3 * F32 + normalisation(4096)


def flan_t5_xl() -> int:
    """The encoder's parameters: no biases but those of relative positions, a gated feed-forward part."""
    layer = 4 * 2048 * 2048 + 3 * 2048 * 5120 + 2 * 2048
    return 32_128 * 2048 + 24 * layer + 32 * 32 + 2048


def llamagen_of_captions(width: int) -> int:
    empty = 120 * 2048 + 120 * width  # as features, and what they feed
    return llamagen("XL", empty + 2048 * width + width**2) + flan_t5_xl() * BF16


@dataclass(frozen=True)
class Expected:
    weights: int  # bytes in bf16, the picture decoder's in f32
    size: int  # of a picture's sides, in pixels
    unit: int | None  # of other sizes
    layout: int  # ids from an image's first to its last
    layers: int
    keys: int  # width of all keys of an entry


ROTARY = 2 * 64 * F32  # bytes: transformers holds a head's frequencies twice
EXPECTED = {
    "Lumina-mGPT-7B-768": Expected(lumina(4096, 32, 4096, 11_008, 1) + ROTARY, 768, 32, 48 * 49 + 3, 32, 4096),
    "Lumina-mGPT-34B-512": Expected(lumina(8192, 48, 1024, 22_016, 4) + ROTARY, 512, 32, 32 * 33 + 3, 48, 1024),
    "emu3": Expected(emu3() + ROTARY, 720, 8, 90 * 91 + 2, 32, 1024),
    "janus-1B": Expected(janus(2048, 24, 5632) + ROTARY, 384, None, 24 * 24, 24, 2048),
    "janus-7B": Expected(janus(4096, 30, 11_008) + ROTARY, 384, None, 24 * 24, 30, 4096),
    **{
        f"c2i-{size}": Expected(llamagen(size, 1001 * width), side, None, (side // 16) ** 2, layers, width)
        for size, (layers, width, _, _, side) in real.LLAMAGEN.items()
    },
    "t2i-XL": Expected(llamagen_of_captions(1280), 512, None, 32 * 32, 36, 1280),
}


@pytest.fixture(scope="module", params=real.WRITERS)
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Expected, dict[str, Any]]:
    """What is expected of a folder, and what `check` says."""
    folder = tmp_path_factory.mktemp("real") / request.param
    real.WRITERS[request.param](folder)
    assert sum(path.stat().st_blocks for path in folder.rglob("*")) * 512 < 64 * 2**20  # they are holes
    return EXPECTED[request.param], checked(folder, "--dtype", "bf16", "--images", "1", "--memory", "128")


def checked(folder: Path, *words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    plan_arguments(parser)
    return check(parser.parse_args(["--model", str(folder), *words]))


def test_it_loads_and_what_it_draws(said: tuple[Expected, dict[str, Any]]) -> None:
    expected, found = said
    assert (found["faults"], found["loads"]) == ([], True)
    sides = [expected.size] * 2
    assert (found["picture"]["size"], found["picture"]["trained"]) == (sides, sides)
    assert found["picture"]["unit"] == expected.unit
    assert found["plan"]["warnings"] == []


def test_its_weights_to_the_byte(said: tuple[Expected, dict[str, Any]]) -> None:
    assert said[1]["plan"]["weights"] == said[0].weights


def test_its_cells(said: tuple[Expected, dict[str, Any]]) -> None:
    """Keys and values of two branches; beside the layout there is room for a prompt and for drafts."""
    expected, found = said
    cells, rest = divmod(found["plan"]["cache"], 2 * 2 * expected.layers * expected.keys * BF16)
    assert rest == 0
    assert 256 <= cells - expected.layout < 1024


@pytest.mark.parametrize(("size", "millions"), [("B", 111), ("L", 343), ("XL", 775), ("XXL", 1400), ("3B", 3100)])
def test_these_are_the_published_sizes(size: str, millions: int) -> None:
    """Of LlamaGen's paper, table 1; so that the formulas are not of another model."""
    layers, width, _, hidden, _ = real.LLAMAGEN[size]
    parameters = decoder(16_384, width, layers, width, hidden) + 16_384 * width + 1001 * width
    assert parameters / 1e6 == pytest.approx(millions, rel=0.03)


@pytest.mark.parametrize("groups", [1, 4, 8])
def test_norms_of_any_number_of_groups(tmp_path: Path, groups: int) -> None:
    real.write_lumina(tmp_path, "34B", groups)
    found = checked(tmp_path, "--dtype", "bf16", "--memory", "128")
    assert (found["faults"], found["loads"]) == ([], True)
    assert found["plan"]["weights"] == lumina(8192, 48, 1024, 22_016, groups) + ROTARY


def test_what_is_too_large_does_not_load(tmp_path: Path) -> None:
    real.write_lumina(tmp_path, "34B", 4)
    found = checked(tmp_path, "--dtype", "bf16", "--memory", "24")
    assert (found["loads"], [fault["code"] for fault in found["faults"]]) == (False, ["out-of-memory"])
    assert "--quantize" in found["faults"][0]["remedy"]
    smaller = checked(tmp_path, "--dtype", "bf16", "--memory", "24", "--quantize", "nf4", "--size", "512")
    assert (smaller["loads"], smaller["picture"]["size"], smaller["picture"]["trained"]) == (True, [512, 512], None)
