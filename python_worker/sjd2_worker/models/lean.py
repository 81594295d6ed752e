"""The scenes transformer as decoding runs it: the same network in a third of the operations, each of them larger.

A pass over few entries takes as long as its operations take to be called, so there must be few of them: the three
projections are one, queries and keys are normalised and turned together, and what hangs on an entry's position alone is
looked up. Nothing is kept for gradients, and weights that change later are not seen: training runs `ScenesTransformer`,
which this is held to by the tests of the worker's forward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from .transformer import Attend, ScenesTransformer

EPSILON = 1e-12  # added to norms: nothing is divided by zero


@dataclass(frozen=True)
class _Layer:
    qkv: Tensor  # [3 * width, width]; of a query's and a key's dimensions, those that turn together are neighbours
    unsharp: Tensor  # f32 [2, heads, 1]: what a query's and a key's norm is multiplied by before it divides them
    o: Tensor  # [width, width], transposed as `down`
    up: Tensor  # [hidden, width]
    down: Tensor  # [hidden, width]


class LeanScenes:
    """What a `ScenesTransformer` computes, from its weights as they are now."""

    def __init__(self, model: ScenesTransformer) -> None:
        config, device, weights = model.config, model.head.weight.device, model.state_dict()
        self._heads, self._prompt = config.heads, config.prompt
        width = config.width // config.heads
        # the halves of a head turn together, as real and imaginary parts: interleaved, they are complex numbers
        pairs = torch.arange(width, device=device).view(2, -1).t().flatten()
        self._layers: list[_Layer] = []
        for number in range(config.layers):
            q, k, v, o, up, down = (
                weights[f"blocks.{number}.{name}.weight"] for name in ("q", "k", "v", "o", "up", "down")
            )
            q, k = (w.view(config.heads, width, -1)[:, pairs].flatten(0, 1) for w in (q, k))
            sharpness = weights[f"blocks.{number}.sharpness"].float()
            unsharp = 1 / (torch.stack((sharpness, torch.ones_like(sharpness))) * math.sqrt(width))
            self._layers.append(_Layer(torch.cat((q, k, v)), unsharp, o.t(), up, down.t()))
        self._head = model.head.weight
        self._epsilon = torch.tensor(EPSILON, device=device)  # where the entries are: a GPU adds no tensor of the host
        positions = torch.arange(-config.prompt, config.image_tokens, device=device)[None]
        cos_q, sin_q, cos_k, sin_k = model.rotary(positions, torch.float32)
        turns = torch.complex(torch.stack((cos_q, cos_k), 2), torch.stack((sin_q, sin_k), 2))
        self._turns = turns[0]  # complex [prompt + image tokens, 2, 1, head_width / 2]: of queries and of keys
        self._places = model.place(positions)[0]  # [prompt + image tokens, width]

    def forward(self, entries: Tensor, positions: Tensor, attend: Attend, rows: Tensor) -> Tensor:
        """Entries [N, width] at positions int64 [N] to the logits of `rows` int64 [R], [R, codes].

        `attend` takes and gives [1, N, heads, head_width].
        """
        at = (positions + self._prompt).clamp_(min=0)
        x, turns = entries + self._places[at], self._turns[at]
        parts = (len(x), 3, self._heads, -1)
        for number, layer in enumerate(self._layers):
            projected = linear(self._rms(x), layer.qkv).view(parts)
            q, k = self._turned(projected[:, :2], layer.unsharp, turns).unbind(1)
            seen = attend(number, q[None], k[None], projected[None, :, 2])
            x.addmm_(seen.reshape(x.shape), layer.o)
            x.addmm_(linear(self._rms(x), layer.up).relu_().square_(), layer.down)
        return linear(self._rms(x[rows]), self._head)

    def _rms(self, x: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        return (x / torch.add(self._epsilon, norm, alpha=1 / math.sqrt(x.shape[-1]))).to(x.dtype)

    def _turned(self, x: Tensor, unsharp: Tensor, turns: Tensor) -> Tensor:
        """Queries and keys [N, 2, heads, head_width], normalised, times their sharpness, turned to their positions."""
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        pairs = torch.view_as_complex((x / torch.addcmul(self._epsilon, norm, unsharp)).unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs.mul_(turns)).flatten(-2).to(x.dtype)
