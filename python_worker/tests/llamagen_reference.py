"""LlamaGen's arithmetic a second time, straight from its published tensors: whole sequences, no cache, loops.

It follows the published sampling to the letter where that is clumsier than what the worker does: captions are padded on
the left to their full length, and padding is hidden by a mask.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = Mapping[str, Tensor]


def transformer(
    weights: Weights, entries: Tensor, positions: list[int], visible: Tensor, heads: int, side: int
) -> Tensor:
    """Logits [T, codes] of entries [T, width]; `visible` bool [T, T]; positions below 0 are the condition's."""
    x = entries
    layers = len({name.split(".")[1] for name in weights if name.startswith("layers.")})
    for layer in range(layers):
        own = {
            name.removeprefix(f"layers.{layer}."): t
            for name, t in weights.items()
            if name.startswith(f"layers.{layer}.")
        }
        h = _rms(x, own["attention_norm.weight"])
        q, k, v = (h @ own["attention.wqkv.weight"].T).split(x.shape[1], 1)
        outputs = []
        for head in range(heads):
            part = slice(head * x.shape[1] // heads, (head + 1) * x.shape[1] // heads)
            queries, keys = (_turned(y[:, part], positions, side) for y in (q, k))
            scores = queries @ keys.T / math.sqrt(queries.shape[1])
            outputs.append(torch.softmax(scores.masked_fill(~visible, -torch.inf), 1) @ v[:, part])
        x = x + torch.cat(outputs, 1) @ own["attention.wo.weight"].T
        h = _rms(x, own["ffn_norm.weight"])
        gate, up = h @ own["feed_forward.w1.weight"].T, h @ own["feed_forward.w3.weight"].T
        x = x + (gate * torch.sigmoid(gate) * up) @ own["feed_forward.w2.weight"].T
    return _rms(x, weights["norm.weight"]) @ weights["output.weight"].T


def caption_entries(weights: Weights, features: Tensor) -> Tensor:
    """[T, features] to [T, width]."""
    hidden = F.gelu(features @ weights["cls_embedding.cap_proj.fc1.weight"].T, approximate="tanh")
    return hidden @ weights["cls_embedding.cap_proj.fc2.weight"].T


def padded_caption(weights: Weights, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The caption's features and the empty caption's, [length, features] each, and which rows are no padding."""
    empty = weights["cls_embedding.uncond_embedding"]
    padding = len(empty) - len(features)
    return F.pad(features, (0, 0, padding, 0)), empty, torch.arange(len(empty)) >= padding


def causal(length: int, shown: Tensor) -> Tensor:
    """Bool [length, length]: each sees itself, and what is before it; of the first ones, what is `shown`."""
    visible = torch.ones(length, length, dtype=torch.bool).tril()
    visible[:, : len(shown)] &= shown
    return visible | torch.eye(length, dtype=torch.bool)


def _rms(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-5).sqrt() * weight


def _turned(x: Tensor, positions: list[int], side: int) -> Tensor:
    """Pairs (0, 1), (2, 3) ... of the first half turn with the row, of the second with the column."""
    quarter = x.shape[1] // 4
    out = torch.zeros_like(x)
    for t, position in enumerate(positions):
        if position < 0:
            continue  # the published table holds zeros for the condition, not ones: nothing is left of it
        for pair in range(2 * quarter):
            place = position // side if pair < quarter else position % side
            angle = place / 10_000 ** (pair % quarter / quarter)
            a, b = x[t, 2 * pair], x[t, 2 * pair + 1]
            out[t, 2 * pair] = a * math.cos(angle) - b * math.sin(angle)
            out[t, 2 * pair + 1] = b * math.cos(angle) + a * math.sin(angle)
    return out


def picture(weights: Weights, codes: Tensor) -> Tensor:
    """Codes [rows, columns] to a picture [3, height, width] on about [-1, 1]."""
    vectors = F.normalize(weights["quantize.embedding.weight"], dim=1)[codes]
    x = _convolve(weights, "post_quant_conv", vectors.permute(2, 0, 1)[None])
    x = _convolve(weights, "decoder.conv_in", x)
    x = _block(weights, "decoder.mid.0", x)
    x = _attention(weights, "decoder.mid.1", x)
    x = _block(weights, "decoder.mid.2", x)
    level = 0
    while f"decoder.conv_blocks.{level}.res.0.conv1.weight" in weights:
        for block in range(3):
            x = _block(weights, f"decoder.conv_blocks.{level}.res.{block}", x)
            if level == 0:
                x = _attention(weights, f"decoder.conv_blocks.0.attn.{block}", x)
        if f"decoder.conv_blocks.{level}.upsample.conv.weight" in weights:
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            x = _convolve(weights, f"decoder.conv_blocks.{level}.upsample.conv", x)
        level += 1
    return _convolve(weights, "decoder.conv_out", F.silu(_norm(weights, "decoder.norm_out", x)))[0]


def _block(weights: Weights, name: str, x: Tensor) -> Tensor:
    h = _convolve(weights, f"{name}.conv1", F.silu(_norm(weights, f"{name}.norm1", x)))
    h = _convolve(weights, f"{name}.conv2", F.silu(_norm(weights, f"{name}.norm2", h)))
    return h + (_convolve(weights, f"{name}.nin_shortcut", x) if f"{name}.nin_shortcut.weight" in weights else x)


def _attention(weights: Weights, name: str, x: Tensor) -> Tensor:
    h = _norm(weights, f"{name}.norm", x)
    q, k, v = (_convolve(weights, f"{name}.{part}", h).flatten(2)[0] for part in ("q", "k", "v"))
    seen = v @ torch.softmax(q.T @ k / math.sqrt(len(q)), 1).T
    return x + _convolve(weights, f"{name}.proj_out", seen.view_as(x))


def _norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.group_norm(x, 32, weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-6)


def _convolve(weights: Weights, name: str, x: Tensor) -> Tensor:
    weight = weights[f"{name}.weight"]
    return F.conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[2] // 2)
