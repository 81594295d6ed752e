"""How well noisy entries foresee what follows a front, by their distance from it, on held-out scenes.

Distance 0 is the first position whose true left neighbour is the last clean entry. At distance d:
own: the last race decides the entry's own token rightly; bits: of the token after it; draft: that token's draft,
`argmax logits + noise`, is right. Of a whole window, `run` is how many drafts are right before the first wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .race_layers import Clean, NoisyStream, Read, Windows

DISTANCES = (0, 1, 2, 4, 8, 16, 32)

Table = Mapping[str, Sequence[float]]  # by distance; `run`: one number


class Counts:
    """Adds up batches."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._seen = torch.zeros(max(DISTANCES) + 1)
        self._runs: list[Tensor] = []

    def add(self, read: Read, seen: Windows, truth: Tensor, own: Tensor | None) -> Tensor:
        """`truth` [B, F, W + 1]: codes from the front on. Gives the drafts int64 [B, F, W] of the tokens after."""
        following = torch.cat((seen.noise[:, :, 1:], torch.zeros_like(seen.noise[:, :, :1])), 2)
        drafts = (read.logits + following).argmax(-1)
        places = slice(None, max(DISTANCES) + 1)
        right = (drafts == truth[:, :, 1:])[:, :, places]
        bits = F.cross_entropy(read.logits.flatten(0, 2), truth[:, :, 1:].flatten(), reduction="none")
        self._sum("bits", bits.view(right.shape[0], right.shape[1], -1)[:, :, places] / math.log(2))
        self._sum("draft", right.float())
        self._runs.append(right.long().cumprod(-1).sum(-1).float().flatten())
        if own is not None:
            decided = (own + seen.noise).argmax(-1) == truth[:, :, :-1]
            self._sum("own", decided[:, :, places].float())
        self._seen += right.shape[0] * right.shape[1]
        return drafts

    def table(self) -> Table:
        by_distance = {n: [float((s / self._seen)[d]) for d in DISTANCES] for n, s in self._sums.items()}
        return by_distance | {"run": [float(torch.cat(self._runs).mean())]}

    def _sum(self, name: str, values: Tensor) -> None:
        self._sums[name] = self._sums.get(name, torch.zeros(values.shape[-1])) + values.sum((0, 1))


def measure(
    stream: NoisyStream,
    batches: Sequence[tuple[Clean, Windows, Tensor]],
    heard: bool,
    entries: Callable[[Tensor], Tensor],
    passes: int,
) -> dict[str, Table]:
    """A table for each pass; the front stays where it is. `heard`: whether the stream is given the noise; drafts are
    drawn by it in any case. `entries`: of drafts [B, F, W], -1 where there is none; none at all in the first pass.
    """
    counts = [Counts() for _ in range(passes)]
    for clean, seen, codes in batches:
        truth = true_codes(seen, codes)
        given = seen if heard else seen._replace(noise=torch.zeros_like(seen.noise))
        held = torch.full_like(seen.positions, -1)
        for count in counts:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                read = stream(given, clean, entries(held))
            drafts = count.add(read, seen, truth, read.own[-1] if read.own else None)
            held = torch.cat((truth[:, :, :1], drafts[:, :, :-1]), 2)
    return {f"pass {number}": count.table() for number, count in enumerate(counts, 1)}


def true_codes(seen: Windows, codes: Tensor) -> Tensor:
    """Of the windows' positions and one beyond, [B, F, W + 1]; all inside the image."""
    positions = torch.cat((seen.positions, seen.positions[:, :, -1:] + 1), 2)
    return codes.gather(1, positions.flatten(1)).view(positions.shape)


def lines(tables: Mapping[str, Table]) -> str:
    """As text."""
    text = [f"{'distance':>24}" + "".join(f"{d:7d}" for d in DISTANCES)]
    for name, table in tables.items():
        for what, values in table.items():
            text.append(f"{name + ' ' + what:>24}" + "".join(f"{v:7.3f}" for v in values))
    return "\n".join(text)
