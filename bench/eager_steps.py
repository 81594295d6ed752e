"""What an orchestrator does in a pass, written plainly in eager PyTorch: the yardstick of `passes.ts`.

For each image: temperature, top-k and softmax of the window's logits, accept drafts by min(1, p/q), correct the first
that is refused from the residual, draw the drafts behind it anew, let their latents take a denoise step, and fill the
window up with noise.
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch import Tensor


def distribution(logits: Tensor, temperature: float, top_k: int) -> Tensor:
    """Probabilities [N, count] of `logits` [N, count]."""
    logits = logits / temperature
    if top_k:
        threshold = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < threshold, -torch.inf)
    return logits.softmax(dim=-1)


def decide(p: Tensor, q: Tensor, drafts: Tensor) -> tuple[int, Tensor]:
    """How many drafts [W], of proposals `q` [W, count], `p` [W + 1, count] accepts, and the code behind them."""
    at = torch.arange(len(drafts))
    accepted = torch.rand(len(drafts)) * q[at, drafts] < p[at, drafts]
    count = int(accepted.long().cumprod(0).sum())
    if count == len(drafts):
        return count, p[count].multinomial(1)
    residual = (p[count] - q[count]).clamp(min=0)
    return count, (residual / residual.sum()).multinomial(1)


def denoised(latents: Tensor, table: Tensor, codes: Tensor, keep: float, add: float) -> Tensor:
    """One deterministic step of `latents` [N, width] towards their codes' embeddings."""
    return keep * latents + add * table[codes]


def one_pass(logits: Tensor, state: list[Tensor], table: Tensor, top_k: int) -> list[Tensor]:
    """The next proposals, drafts and latents."""
    q, drafts, latents = state
    p = distribution(logits, 1.0, top_k)
    accepted, _ = decide(p, q, drafts)
    left = p[accepted + 1 : -1]
    codes = left.multinomial(1)[:, 0]
    latents = denoised(latents[accepted + 1 :], table, codes, 0.9, 0.1)
    entering = len(drafts) - len(codes)
    noise = torch.randn(entering, latents.shape[1])
    return [
        torch.cat((left, torch.full((entering, p.shape[1]), 1 / p.shape[1]))),
        torch.cat((codes, torch.randint(p.shape[1], (entering,)))),
        torch.cat((latents, noise)),
    ]


def main() -> None:
    """Prints the milliseconds of each measured pass as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"images": 1, "window": 96, "count": 8192, "width": 4096, "top-k": 2000, "passes": 30}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    a = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    table = torch.randn(a.count, a.width)
    prepared = 2.5 * torch.randn(2 * (a.window + 1), a.count)
    proposals = distribution(prepared[: a.window], 1.0, a.top_k)
    state = [proposals, proposals.multinomial(1)[:, 0], torch.randn(a.window, a.width)]
    states = [state] * a.images
    times = []
    with torch.inference_mode():
        for number in range(a.passes + 5):
            logits = prepared[37 * number % a.window :][: a.window + 1]
            began = time.perf_counter()
            states = [one_pass(logits, state, table, a.top_k) for state in states]
            times.append(1000 * (time.perf_counter() - began))
    print(json.dumps(times[5:]))


if __name__ == "__main__":
    main()
