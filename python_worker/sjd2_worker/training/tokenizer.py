"""Trains the scenes tokenizer: `python -m sjd2_worker.training.tokenizer --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ..models.tokenizer import ScenesTokenizer
from .progress import Progress
from .scenes import render, sample_scene


def to_tensor(pictures: list[np.ndarray]) -> Tensor:
    """uint8 pictures [96, 96, 3] to float [B, 3, 96, 96] on [-1, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def train(steps: int, batch: int, seed: int) -> ScenesTokenizer:
    """Reconstructs the scene *without* its grain, and pulls the encoder's outputs to the middle of their cells:
    grain then seldom changes a code, so equal surfaces have equal tokens."""
    torch.manual_seed(seed)
    model = ScenesTokenizer()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps, pct_start=0.1)
    with Progress("tokenizer", steps) as progress:
        for step in range(steps):
            scenes = [sample_scene(10_000_000 + step * batch + i) for i in range(batch)]
            target = to_tensor([render(s, grain=0) for s in scenes])
            noisy = target + torch.randn_like(target) * (2 / 127.5)
            with torch.autocast("cpu", torch.bfloat16):
                bounded = model.bounded(noisy.to(memory_format=torch.channels_last)).float()
                quantised = model.quantise(bounded)
                output = model.decoder(quantised).float()
            mse = F.mse_loss(output, target)
            commitment = (bounded - quantised.detach()).square().mean()
            loss = mse + 0.3 * F.l1_loss(output, target) + min(1, step / steps * 2) * 0.5 * commitment
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            if step % 20 == 0 or step == steps - 1:
                used = model.encode(noisy).unique().numel()
                progress.update(step + 1, f"mse {mse.item():.4f} commitment {commitment.item():.4f} codes {used}")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for tokenizer.safetensors")
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    model = train(arguments.steps, arguments.batch, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()},
        arguments.out / "tokenizer.safetensors",
    )


if __name__ == "__main__":
    main()
