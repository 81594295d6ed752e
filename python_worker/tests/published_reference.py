"""The arithmetic of Lumina-mGPT's transformer, Chameleon's VQ-GAN and MoVQGAN a second time, from published tensors.

Whole sequences and single pictures, no cache, loops: nothing of it is shared with the worker or with transformers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = Mapping[str, Tensor]


def chameleon(weights: Weights, entries: Tensor, places: Sequence[int], visible: Tensor, heads: int) -> Tensor:
    """Entries [T, width] to what the head takes, [T, width]; `visible` bool [T, T]."""
    x = entries
    for layer in range(len({name.split(".")[2] for name in weights if name.startswith("model.layers.")})):
        prefix = f"model.layers.{layer}."
        own = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
        x = x + _attended(own, _rms(x, own["input_layernorm.weight"]), places, visible, heads)
        h = _rms(x, own["post_attention_layernorm.weight"])
        gate, up = h @ own["mlp.gate_proj.weight"].T, h @ own["mlp.up_proj.weight"].T
        x = x + (gate * torch.sigmoid(gate) * up) @ own["mlp.down_proj.weight"].T
    return _rms(x, weights["model.norm.weight"])


def _attended(own: Weights, h: Tensor, places: Sequence[int], visible: Tensor, heads: int) -> Tensor:
    width = own["self_attn.q_proj.weight"].shape[0] // heads
    key_heads = own["self_attn.k_proj.weight"].shape[0] // width
    outputs = []
    for head in range(heads):
        key_head = head * key_heads // heads
        q = _normalised(own, "q", h, head, heads, width)
        k = _normalised(own, "k", h, key_head, key_heads, width)
        v = h @ own["self_attn.v_proj.weight"][key_head * width : (key_head + 1) * width].T
        scores = _turned(q, places) @ _turned(k, places).T / math.sqrt(width)
        outputs.append(torch.softmax(scores.masked_fill(~visible, -torch.inf), 1) @ v)
    return torch.cat(outputs, 1) @ own["self_attn.o_proj.weight"].T


def _normalised(own: Weights, part: str, h: Tensor, head: int, heads: int, width: int) -> Tensor:
    """One head's queries or keys; the rows of the norm belong to groups of heads that follow one another."""
    x = h @ own[f"self_attn.{part}_proj.weight"][head * width : (head + 1) * width].T
    weight, bias = (own[f"self_attn.{part}_norm.{name}"] for name in ("weight", "bias"))
    group = head // (heads // len(weight))
    x = x - x.mean(1, keepdim=True)
    return x / (x.square().mean(1, keepdim=True) + 1e-5).sqrt() * weight[group] + bias[group]


def _turned(x: Tensor, places: Sequence[int]) -> Tensor:
    """Dimension i turns together with that half a width on."""
    half = x.shape[1] // 2
    out = torch.empty_like(x)
    for pair in range(half):
        angles = torch.tensor([place / 10_000 ** (pair / half) for place in places])
        a, b = x[:, pair], x[:, half + pair]
        out[:, pair] = a * angles.cos() - b * angles.sin()
        out[:, half + pair] = b * angles.cos() + a * angles.sin()
    return out


def _rms(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-5).sqrt() * weight


def picture(weights: Weights, codes: Tensor) -> Tensor:
    """Codes [rows, columns] to a picture [3, height, width] on about [-1, 1]; MoVQ's norms see the codes' vectors."""
    vectors = weights["quantize.embedding.weight"][codes].permute(2, 0, 1)[None]
    x = _convolve(weights, "decoder.conv_in", _convolve(weights, "post_quant_conv", vectors))
    x = _middle(weights, "decoder", x, vectors)
    for level in reversed(range(_levels(weights))):
        x = _level(weights, f"decoder.up.{level}", x, vectors)
        if level > 0:
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            x = _convolve(weights, f"decoder.up.{level}.upsample.conv", x)
    return _convolve(weights, "decoder.conv_out", F.silu(_norm(weights, "decoder.norm_out", x, vectors)))[0]


def encoded(weights: Weights, pixels: Tensor) -> Tensor:
    """A picture [3, height, width] on [-1, 1] to the codes whose vectors are nearest, [rows, columns]."""
    x = _convolve(weights, "encoder.conv_in", pixels[None])
    for level in range(_levels(weights)):
        x = _level(weights, f"encoder.down.{level}", x, None)
        if f"encoder.down.{level}.downsample.conv.weight" in weights:
            name = f"encoder.down.{level}.downsample.conv"
            x = F.conv2d(F.pad(x, (0, 1, 0, 1)), weights[f"{name}.weight"], weights[f"{name}.bias"], stride=2)
    x = _middle(weights, "encoder", x, None)
    x = _convolve(weights, "encoder.conv_out", F.silu(_norm(weights, "encoder.norm_out", x, None)))
    vectors = _convolve(weights, "quant_conv", x)[0].permute(1, 2, 0)
    return torch.cdist(vectors, weights["quantize.embedding.weight"]).argmin(-1)


def _levels(weights: Weights) -> int:
    return len({name.split(".")[2] for name in weights if name.startswith("decoder.up.")})


def _level(weights: Weights, name: str, x: Tensor, vectors: Tensor | None) -> Tensor:
    block = 0
    while f"{name}.block.{block}.conv1.weight" in weights:
        x = _block(weights, f"{name}.block.{block}", x, vectors)
        if f"{name}.attn.{block}.q.weight" in weights:
            x = _attention(weights, f"{name}.attn.{block}", x, vectors)
        block += 1
    return x


def _middle(weights: Weights, half: str, x: Tensor, vectors: Tensor | None) -> Tensor:
    x = _block(weights, f"{half}.mid.block_1", x, vectors)
    x = _attention(weights, f"{half}.mid.attn_1", x, vectors)
    return _block(weights, f"{half}.mid.block_2", x, vectors)


def _block(weights: Weights, name: str, x: Tensor, vectors: Tensor | None) -> Tensor:
    h = _convolve(weights, f"{name}.conv1", F.silu(_norm(weights, f"{name}.norm1", x, vectors)))
    h = _convolve(weights, f"{name}.conv2", F.silu(_norm(weights, f"{name}.norm2", h, vectors)))
    return h + (_convolve(weights, f"{name}.nin_shortcut", x) if f"{name}.nin_shortcut.weight" in weights else x)


def _attention(weights: Weights, name: str, x: Tensor, vectors: Tensor | None) -> Tensor:
    h = _norm(weights, f"{name}.norm", x, vectors)
    q, k, v = (_convolve(weights, f"{name}.{part}", h).flatten(2)[0] for part in ("q", "k", "v"))
    seen = v @ torch.softmax(q.T @ k / math.sqrt(len(q)), 1).T
    return x + _convolve(weights, f"{name}.proj_out", seen.view_as(x))


def _norm(weights: Weights, name: str, x: Tensor, vectors: Tensor | None) -> Tensor:
    if f"{name}.conv_y.weight" not in weights:
        return F.group_norm(x, 32, weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-6)
    assert vectors is not None
    times = x.shape[2] // vectors.shape[2]
    spread = vectors.repeat_interleave(times, 2).repeat_interleave(times, 3)
    h = F.group_norm(x, 32, weights[f"{name}.norm_layer.weight"], weights[f"{name}.norm_layer.bias"], 1e-6)
    return h * _convolve(weights, f"{name}.conv_y", spread) + _convolve(weights, f"{name}.conv_b", spread)


def _convolve(weights: Weights, name: str, x: Tensor) -> Tensor:
    weight = weights[f"{name}.weight"]
    return F.conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[2] // 2)
