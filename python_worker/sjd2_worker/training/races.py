"""Teaches noisy entries to read the noise that decides: `python -m sjd2_worker.training.races --data FILE --out DIR`.

The base is frozen, clean entries are computed without gradients, once per sequence; windows of noisy entries begin at
random places beside it. The noise is drawn so that the true tokens win (objective.posterior_gumbel). A control learns
from the same batches with the same parameters; its noise is zero.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ..adapters.scenes import ScenesAdapter
from ..models.transformer import ScenesConfig, ScenesTransformer
from .loop import Plan, Schedule, run
from .objective import posterior_gumbel
from .race_layers import Clean, NoisyStream, Windows, clean_pass, early_heads
from .race_tables import lines, measure
from .transformer import SceneSequences

HELD_OUT = 512  # scenes, the last ones of the data


class Batches:
    """Clean sequences with their frozen reading, and windows beside them: a function of the seed and the number."""

    def __init__(
        self, base: ScenesTransformer, sequences: SceneSequences, fronts: int, width: int, compiled: bool
    ) -> None:
        self._base, self._sequences, self._fronts, self._width = base, sequences, fronts, width
        self._read = torch.compile(clean_pass) if compiled else clean_pass

    def __call__(self, number: int) -> tuple[Clean, Windows, Windows, Tensor]:
        """Windows, the same as up to half a window earlier, and the codes [B, 576]."""
        generator = torch.Generator().manual_seed(self._sequences.seed * 1_000_003 + number)
        ids, positions, codes = self._sequences(number)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            clean = self._read(self._base, ids, positions)
        end = codes.shape[1]
        fronts = torch.randint(-1, end - 4, (len(codes), self._fronts), generator=generator)
        earlier = (fronts - torch.randint(0, self._width // 2 + 1, fronts.shape, generator=generator)).clamp(min=-1)
        noise = true_noise(self._base.config, clean, codes, generator)
        return clean, windows(noise, fronts, self._width), windows(noise, earlier, self._width), codes


def true_noise(config: ScenesConfig, clean: Clean, codes: Tensor, generator: torch.Generator) -> Tensor:
    """Gumbel noise [B, 576, codes] under which the true codes [B, 576] win."""
    return posterior_gumbel(clean.logits[:, config.prompt - 1 :].log_softmax(-1), codes, generator)


def windows(noise: Tensor, fronts: Tensor, width: int) -> Windows:
    """Windows of so many entries behind the fronts [B, F]; they may reach beyond the image."""
    positions = fronts[:, :, None] + 1 + torch.arange(width)
    rows = positions.clamp(max=noise.shape[1] - 1).flatten(1)[:, :, None].expand(-1, -1, noise.shape[-1])
    return Windows(fronts, positions, noise.gather(1, rows).unflatten(1, positions.shape[1:]))


def carried(stream: NoisyStream, heard: bool, clean: Clean, seen: Windows, earlier: Windows) -> Tensor:
    """The drafts [B, F, W] that windows `seen` hold after a pass over the same windows from `earlier` fronts."""
    given = earlier if heard else earlier._replace(noise=torch.zeros_like(earlier.noise))
    with torch.no_grad():
        logits = stream(given, clean).logits
    drafts = (logits[:, :, :-1] + earlier.noise[:, :, 1:]).argmax(-1)  # from the second position on
    places = seen.positions - earlier.positions[:, :, 1:2]
    held = drafts.gather(2, places.clamp(0, drafts.shape[2] - 1))
    return held.where((places >= 0) & (places < drafts.shape[2]), -1)


def loss_of(
    stream: NoisyStream, seen: Windows, clean: Clean, codes: Tensor, drafts: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The loss; in bits, of the next token, of the own token at the last race without its noise, and with it.

    `drafts` [B, F, W]: of an earlier pass.
    """
    read, end = stream(seen, clean, None if drafts is None else stream.entries(drafts)), codes.shape[1]

    def entropy(logits: Tensor, positions: Tensor) -> Tensor:
        held = codes.gather(1, positions.clamp(max=end - 1).flatten(1)).view(positions.shape)
        return F.cross_entropy(logits.flatten(0, 2), held.masked_fill(positions >= end, -100).flatten())

    following = entropy(read.logits, seen.positions + 1)
    alone = [entropy(logits, seen.positions) for logits in read.own]
    decided = [
        entropy(race.sharpness * (logits + seen.noise), seen.positions)
        for race, logits in zip(stream.races.values(), read.own, strict=True)
    ]
    loss = following + (sum(alone) + sum(decided)) / (2 * len(read.own))
    return loss, torch.stack((following, alone[-1], decided[-1])).detach() / math.log(2)


def rates(
    streams: dict[str, NoisyStream], rate: float
) -> tuple[dict[str, torch.nn.Parameter], list[torch.optim.Optimizer]]:
    """Parameters by name, and Muon for the matrices inside, AdamW for early heads and the rest."""
    parameters = {f"{name}.{n}": p for name, stream in streams.items() for n, p in stream.named_parameters()}
    inside = [p for n, p in parameters.items() if p.ndim == 2 and not n.endswith((".left", ".own"))]
    others = [p for p in parameters.values() if not any(p is q for q in inside)]
    return parameters, [
        torch.optim.Muon(inside, lr=rate * 20 / 3, momentum=0.95, weight_decay=0.0),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.97), weight_decay=0.0),
    ]


def held_out(batches: Batches, config: ScenesConfig, count: int, width: int) -> list[tuple[Clean, Windows, Tensor]]:
    """Windows that lie inside the image, always the same."""
    found = []
    for number in range(count):
        clean, _, _, codes = batches(number)
        generator = torch.Generator().manual_seed(number)
        fronts = torch.randint(-1, config.image_tokens - width - 2, (len(codes), 6), generator=generator)
        noise = true_noise(config, clean, codes, generator)
        found.append((clean, windows(noise, fronts, width), codes))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, required=True, help="the checkpoint that stays what it is")
    add("--data", type=Path, required=True, help="what sjd2_worker.training.data wrote")
    add("--out", type=Path, required=True, help="folder for the state, the record, the tables")
    add("--steps", type=int, default=2000)
    add("--batch", type=int, default=8)
    add("--fronts", type=int, default=8, help="windows of a sequence")
    add("--width", type=int, default=32, help="entries of a window")
    add("--rank", type=int, default=64)
    add("--depths", type=int, nargs="*", default=[3, 4, 5, 6], help="blocks before each race")
    add("--sweeps", type=int, nargs="*", default=[1, 1, 1, 4], help="of each race")
    add("--rate", type=float, default=1.5e-3)
    add("--decay", type=float, default=0.5)
    add("--carry-from", type=int, default=400, help="from this step on, every other batch holds earlier drafts")
    add("--every", type=int, default=50, help="steps between two states")
    add("--measure", type=int, default=150, help="steps between two tables")
    add("--compile", action="store_true", help="torch.compile")
    add("--without-control", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(7)
    adapter = ScenesAdapter(arguments.model, torch.device("cpu"), torch.float32)
    base = adapter.trained["transformer."]
    assert isinstance(base, ScenesTransformer)
    base.requires_grad_(False)
    config = base.config
    with torch.no_grad():
        pure = adapter.noisy(torch.randn(4096, config.width), torch.ones(4096))
        embed = base.embedding.weight[config.first_code :]
    sequences = SceneSequences(arguments.data, config, arguments.batch, 11)
    last = SceneSequences(arguments.data, config, 16, 12)
    last.codes, last.prompts = sequences.codes[-HELD_OUT:], sequences.prompts[-HELD_OUT:]
    sequences.codes, sequences.prompts = sequences.codes[:-HELD_OUT], sequences.prompts[:-HELD_OUT]
    batches = Batches(base, sequences, arguments.fronts, arguments.width, arguments.compile)
    checks = held_out(Batches(base, last, 1, 2, False), config, 6, 33)

    sweeps = dict(zip(arguments.depths, arguments.sweeps, strict=True))
    heads = early_heads(base, batches(1_000_000)[0])  # of scenes that training sees

    def stream(sweeps: dict[int, int]) -> NoisyStream:
        torch.manual_seed(8)
        return NoisyStream(base, pure.mean(0), arguments.rank, sweeps, heads)

    streams = {"main": stream(sweeps)}
    if not arguments.without_control:
        streams["control"] = stream(sweeps)
    heard = {"main": True, "control": False}
    parameters, group = rates(streams, arguments.rate)
    arguments.out.mkdir(parents=True, exist_ok=True)
    of_base = arguments.out / "table-base.txt"
    if not of_base.exists():

        def fed(drafts: Tensor) -> Tensor:
            """What sjd2 feeds: drafts as they are, pure noise where there is none."""
            noise = pure[torch.randint(len(pure), drafts.shape, generator=torch.Generator().manual_seed(9))]
            return torch.where((drafts >= 0)[..., None], embed[drafts.clamp(min=0)], noise)

        of_base.write_text(lines(measure(stream({}), checks, False, fed, 4)) + "\n")

    compute = torch.compile(loss_of) if arguments.compile else loss_of

    def loss(number: int) -> tuple[Tensor, dict[str, float]]:
        clean, seen, earlier, codes = batches(number)
        carries = number >= arguments.carry_from and number % 2 == 1
        numbers: dict[str, float] = {}
        for name, own in streams.items():
            given = seen if heard[name] else seen._replace(noise=torch.zeros_like(seen.noise))
            with torch.autocast("cpu", torch.bfloat16):
                drafts = carried(own, heard[name], clean, seen, earlier) if carries else None
                value, bits = compute(own, given, clean, codes, drafts)
            value.backward()
            numbers |= {f"{name}_{n}": float(v) for n, v in zip(("next", "own", "race"), bits, strict=True)}
        return torch.zeros((), requires_grad=True), numbers  # each stream's memory is free before the next one's

    def saved(step: int) -> dict[str, float]:
        if step % arguments.measure == 0 or step == arguments.steps:
            passes = 3 if step > arguments.carry_from else 1
            tables = "\n".join(
                f"{n}\n{lines(measure(own, checks, heard[n], own.entries, passes))}" for n, own in streams.items()
            )
            print(f"step {step}\n{tables}", flush=True)
            (arguments.out / f"table-{step}.txt").write_text(tables + "\n")
        return {}

    said = {n: getattr(arguments, n) for n in ("batch", "fronts", "width", "rank", "depths", "sweeps", "rate")}
    plan = Plan(
        "races",
        Schedule(arguments.steps, arguments.decay),
        arguments.out / "state.safetensors",
        arguments.every,
        settings=said,
    )
    run(plan, parameters, group, loss, saved)


if __name__ == "__main__":
    main()
