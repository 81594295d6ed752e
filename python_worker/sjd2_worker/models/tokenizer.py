"""The scenes image tokenizer: finite scalar quantisation (arXiv 2309.15505), 8x8x8 = 512 codes, stride 4."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 8
CODE_DIMENSIONS = 3
CODES = LEVELS**CODE_DIMENSIONS
STRIDE = 4


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.gelu(self.first(F.gelu(x))))


class ScenesTokenizer(nn.Module):
    """Pictures [B, 3, H, W] on [-1, 1] to codes [B, H/4, W/4] and back."""

    codebook: Tensor

    def __init__(self, width: int = 64, blocks: int = 2) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(STRIDE),
            nn.Conv2d(3 * STRIDE**2, width, 3, padding=1),
            *(_Residual(width) for _ in range(blocks)),
            nn.Conv2d(width, CODE_DIMENSIONS, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(CODE_DIMENSIONS, width, 3, padding=1),
            *(_Residual(width) for _ in range(blocks)),
            nn.Conv2d(width, 3 * STRIDE**2, 3, padding=1),
            nn.PixelShuffle(STRIDE),
        )
        digits = torch.arange(CODES)[:, None] // LEVELS ** torch.arange(CODE_DIMENSIONS) % LEVELS
        self.register_buffer("codebook", (digits + 0.5) / LEVELS * 2 - 1)  # [512, 3]

    def bounded(self, pictures: Tensor) -> Tensor:
        """The encoder's output before rounding, [B, 3, H/4, W/4] on (-1, 1)."""
        return torch.tanh(self.encoder(pictures))

    def quantise(self, bounded: Tensor) -> Tensor:
        """The nearest code vectors, with the gradient passed straight through."""
        digits = ((bounded + 1) / 2 * LEVELS).floor().clamp(0, LEVELS - 1)
        return bounded + ((digits + 0.5) / LEVELS * 2 - 1 - bounded).detach()

    def encode(self, pictures: Tensor) -> Tensor:
        """Code numbers, int64 [B, H/4, W/4]."""
        digits = ((self.bounded(pictures) + 1) / 2 * LEVELS).floor().clamp(0, LEVELS - 1).long()
        powers = LEVELS ** torch.arange(CODE_DIMENSIONS, device=digits.device)
        return (digits * powers.view(1, -1, 1, 1)).sum(1)

    def decode(self, codes: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] on about [-1, 1] from code numbers [B, H/4, W/4]."""
        return self.decoder(self.codebook[codes].permute(0, 3, 1, 2))
