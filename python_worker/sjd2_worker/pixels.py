"""Pixels as a picture decoder draws them to the bytes of pictures, of every family and every adapter.

A cast to bytes turns NaN into black. So adapters hand over f32 pixels, and they are looked at here before the cast.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .errors import RequestError


def to_bytes(drawn: Tensor, shape: Sequence[int]) -> Tensor:
    """Pixels f32 on 0 … 255, [B, height, width, 3], to uint8: clamped, then what is behind the point is cut off.

    `shape` is what `drawn` should be. Raises `not-finite` where a pixel is NaN or infinite, `internal` where an adapter
    hands over something else than such pixels.
    """
    if drawn.dtype != torch.float32 or list(drawn.shape) != list(shape):
        message = f"`decode` of the adapter gave {_dtype(drawn)} {list(drawn.shape)} "
        message += f"and should give float32 {list(shape)}, on 0 … 255."
        raise RequestError("internal", message, "Mend the adapter: sjd2_worker/adapters/base.py says what it offers.")
    finite = drawn.isfinite().flatten(1).all(1)
    if not finite.all():
        message = f"The picture decoder gave NaN or infinite pixels in {int((~finite).sum())} of {len(drawn)} pictures."
        remedy = "It runs in f32 whatever --dtype, so its weights are damaged or too large: restore the checkpoint."
        raise RequestError("not-finite", message, remedy)
    return drawn.clamp(0, 255).to(torch.uint8)


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
