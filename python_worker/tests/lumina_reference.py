"""Lumina-mGPT's arithmetic a second time, straight from its published tensors: whole sequences, no cache, loops.

Its class keeps a row of the query and key norms for each group of heads, and hands it to every head of the group.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import ChameleonConfig, ChameleonForConditionalGeneration


class Reference:
    """One checkpoint folder, its weights f32."""

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = load_file(folder / "model.safetensors")

    def logits(self, ids: Sequence[int]) -> Tensor:
        """Over the whole vocabulary, [T, vocabulary], for a chain of ids."""
        x = self.weights["model.embed_tokens.weight"][list(ids)]
        after = bool(self.config.get("swin_norm"))
        for layer in range(self.config["num_hidden_layers"]):
            name = f"model.layers.{layer}"
            h = x if after else self._rms(x, f"{name}.input_layernorm")
            h = self._attention(h, f"{name}.self_attn")
            x = x + (self._rms(h, f"{name}.input_layernorm") if after else h)
            h = x if after else self._rms(x, f"{name}.post_attention_layernorm")
            gate, up = (h @ self.weights[f"{name}.mlp.{part}_proj.weight"].T for part in ("gate", "up"))
            h = (gate * torch.sigmoid(gate) * up) @ self.weights[f"{name}.mlp.down_proj.weight"].T
            x = x + (self._rms(h, f"{name}.post_attention_layernorm") if after else h)
        return self._rms(x, "model.norm") @ self.weights["lm_head.weight"].T

    def draw(self, prompt: list[int], unconditional: list[int], layout: list[int], image: range, k: int) -> list[int]:
        """The likeliest ids over a layout: guided at scale 3, then image codes alone, then the `k` most likely."""
        ids: list[int] = []
        for forced in layout:
            if forced >= 0:
                ids.append(forced)
                continue
            with_text, without = (self.logits(begin + ids)[-1] for begin in (prompt, unconditional))
            scores = without + 3 * (with_text - without)
            allowed = torch.full_like(scores, -torch.inf)
            allowed[image.start : image.stop] = scores[image.start : image.stop]
            allowed[allowed < allowed.topk(k).values[-1]] = -torch.inf
            ids.append(int(allowed.argmax()))
        return ids

    def _attention(self, h: Tensor, name: str) -> Tensor:
        heads, key_heads = self.config["num_attention_heads"], self.config["num_key_value_heads"]
        width = h.shape[1] // heads
        q, k, v = (h @ self.weights[f"{name}.{part}_proj.weight"].T for part in ("q", "k", "v"))
        hidden = torch.ones(len(h), len(h), dtype=torch.bool).triu(1)
        outputs = []
        for head in range(heads):
            key_head = head * key_heads // heads
            query = self._normed(q[:, head * width : (head + 1) * width], f"{name}.q_norm", head, heads)
            part = slice(key_head * width, (key_head + 1) * width)
            key = self._normed(k[:, part], f"{name}.k_norm", key_head, key_heads)
            scores = (self._turned(query) @ self._turned(key).T / math.sqrt(width)).masked_fill(hidden, -torch.inf)
            outputs.append(torch.softmax(scores, 1) @ v[:, part])
        return torch.cat(outputs, 1) @ self.weights[f"{name}.o_proj.weight"].T

    def _normed(self, x: Tensor, name: str, head: int, heads: int) -> Tensor:
        """Statistics are each head's own; the row of scale and shift is that of the head's group."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        group = head * len(weight) // heads
        centred = x - x.mean(1, keepdim=True)
        return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() * weight[group] + bias[group]

    def _turned(self, x: Tensor) -> Tensor:
        """Dimension i of the first half and of the second turn together."""
        half = x.shape[1] // 2
        angles = torch.arange(len(x))[:, None] / 10_000 ** (torch.arange(half) / half)
        a, b = x[:, :half], x[:, half:]
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), 1)

    def _rms(self, x: Tensor, name: str) -> Tensor:
        epsilon = self.config["rms_norm_eps"]
        return x / (x.square().mean(1, keepdim=True) + epsilon).sqrt() * self.weights[f"{name}.weight"]


def in_the_library(folder: Path) -> ChameleonForConditionalGeneration:
    """transformers' own class, which has a row for each head: each row of a group is given to all its heads."""
    config = ChameleonConfig.from_pretrained(folder)
    model = ChameleonForConditionalGeneration(config)
    own = model.state_dict()
    found = {
        name: tensor.repeat_interleave(len(own[name]) // len(tensor), 0)
        for name, tensor in load_file(folder / "model.safetensors").items()
    }
    model.load_state_dict({**own, **found})
    return model.eval()
