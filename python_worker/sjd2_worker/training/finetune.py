"""Next-clean-token fine-tuning of the scenes transformer (arXiv 2510.08994, section 3):
`python -m sjd2_worker.training.finetune --data FILE --model DIR --state FILE`.

Noisy and wrongly drafted windows beside each clean sequence; the target is always the clean next token. Noise lives on
normalised embeddings, and its level enters through a timestep embedding that starts as zero, so that step 0 is the
original model. Wrong drafts are the model's own, as Gumbel coupling draws them, by noise under which the true tokens
would have been drawn: from what the model says of a window of pure noise, or once more from what it says of those
drafts; now and then the token above.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.transformer import ScenesConfig, ScenesTransformer, TimestepEmbedding
from .attention import compiled
from .loop import Schedule, run
from .transformer import SceneSequences, save_weights
from .windows import COUNT, LENGTH, WindowAttention, draw_window


class Denoiser(nn.Module):
    """The transformer with its timestep embedding; noise by the cosine schedule of algorithm.md, section 3."""

    def __init__(self, config: ScenesConfig) -> None:
        super().__init__()
        self.transformer = ScenesTransformer(config)
        self.timestep = TimestepEmbedding(config.width)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation per dimension over the image rows of the embedding table, [width] each."""
        rows = self.transformer.embedding.weight[self.transformer.config.first_code :].detach().float()
        return rows.mean(0), rows.std(0)

    def noisy(self, tokens: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Entries [B, T, width] of tokens [B, T] (ids) noised to `timesteps` [T]; timestep 0 is the plain embedding."""
        clean = self.transformer.embedding(tokens)
        mean, deviation = self.statistics()
        angle = timesteps[:, None] * (math.pi / 2)
        latent = angle.cos() * (clean - mean) / deviation + angle.sin() * noise
        entry = mean + deviation * latent + self.timestep(timesteps)
        return torch.where(timesteps[:, None] > 0, entry, clean)


def posterior_gumbel(log_p: Tensor, outcome: Tensor, generator: torch.Generator) -> Tensor:
    """Gumbel noise [..., V] as it is where `argmax log_p + noise` has turned out to be `outcome` [...].

    The maximum is Gumbel distributed, and all others are cut off below it (A* sampling, arXiv 1411.0030, section 2).
    """

    def gumbel(shape: torch.Size) -> Tensor:
        return -torch.empty(shape).exponential_(generator=generator).log()

    highest = gumbel(outcome.shape)[..., None]
    others = -torch.logaddexp(-highest, -(log_p + gumbel(log_p.shape)))
    return others.scatter(-1, outcome[..., None], highest) - log_p


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what sjd2_worker.training.data wrote")
    parser.add_argument(
        "--model", type=Path, required=True, help="checkpoint folder; its model.safetensors is replaced"
    )
    parser.add_argument("--base", type=Path, required=True, help="the sequential transformer's resumable state")
    parser.add_argument("--state", type=Path, required=True, help="the resumable state; continues it if it exists")
    parser.add_argument("--steps", type=int, default=750)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    config = ScenesConfig.of(json.loads((arguments.model / "config.json").read_text()))
    model = Denoiser(config)
    base = load_file(arguments.base)
    names = {n: n.removeprefix("model.") for n in base if n.startswith("model.")}
    model.transformer.load_state_dict({short: base[name] for name, short in names.items()})
    forward = compiled(model.transformer)
    sequences = SceneSequences(arguments.data, config, arguments.batch, arguments.seed)
    clean = config.prompt + config.image_tokens - 1
    attend = WindowAttention(clean)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((arguments.seed, 2, step))
        generator = torch.Generator().manual_seed(arguments.seed * 1_000_003 + step)
        ids, positions, codes = sequences(step)
        windows = [draw_window(rng, config.image_tokens) for _ in range(COUNT)]
        attend.see([config.prompt + w.start for w in windows])
        reached = torch.cat([torch.arange(w.start, w.start + LENGTH) for w in windows])
        places = reached.clamp(max=config.image_tokens - 1)
        timesteps = torch.from_numpy(np.concatenate([w.timesteps for w in windows]))
        wrong = torch.from_numpy(np.concatenate([w.wrong for w in windows]))
        all_positions = torch.cat((positions, places.expand(len(ids), -1)), 1)
        noise = torch.randn(len(ids), len(places), config.width, generator=generator)
        truth = codes[:, places]

        def logits(tokens: Tensor, levels: Tensor) -> Tensor:
            entries = torch.cat((model.transformer.embedding(ids), model.noisy(tokens, noise, levels)), 1)
            with torch.autocast("cpu", torch.bfloat16):
                return forward(entries, all_positions, attend).float()

        before = [config.prompt + w.start - 1 for w in windows]

        def predictions(output: Tensor) -> Tensor:
            """[B, COUNT * LENGTH, codes] for the windows' own places: the entry at position j predicts j + 1."""
            inside = output[:, clean:].view(len(ids), COUNT, LENGTH, -1)[:, :, :-1]
            return torch.cat((output[:, before, None], inside), 2).flatten(1, 2)

        with torch.no_grad():
            blind = logits(truth + config.first_code, torch.ones_like(timesteps)).log_softmax(-1)
            known = blind[:, config.prompt - 1 : clean][:, places]
            race = posterior_gumbel(known, truth, generator)
            drafts = (predictions(blind) + race).argmax(-1)
            for _ in range(int(rng.integers(0, 2))):
                refined = logits(drafts + config.first_code, torch.zeros_like(timesteps))
                drafts = (predictions(refined.log_softmax(-1)) + race).argmax(-1)
            above = codes[:, (places - config.columns).clamp(min=0)]
            copied = torch.rand(drafts.shape, generator=generator) < 0.1
            replaced = torch.rand(drafts.shape, generator=generator) < wrong
            held = torch.where(replaced, torch.where(copied, above, drafts), truth)
        output = logits(held + config.first_code, timesteps)
        on_clean = F.cross_entropy(output[:, config.prompt - 1 : clean].flatten(0, 1), codes.flatten())
        inside_image = reached + 1 < config.image_tokens
        targets = codes[:, (places + 1).clamp(max=config.image_tokens - 1)]
        each = F.cross_entropy(output[:, clean:].transpose(1, 2), targets, reduction="none")
        shares = {"noised": inside_image & (timesteps > 0), "drafted": inside_image & (timesteps == 0)}
        numbers = {"clean": on_clean.item() / math.log(2)}
        numbers |= {n: each[:, s].mean().item() / math.log(2) for n, s in shares.items() if s.any()}
        return on_clean + each[:, inside_image].sum() / codes.numel(), numbers

    def export() -> None:
        mean, deviation = model.statistics()
        statistics = nn.Module()
        statistics.register_buffer("mean", mean)
        statistics.register_buffer("deviation", deviation)
        modules = {"transformer": model.transformer, "timestep": model.timestep, "denoising": statistics}
        save_weights(modules, arguments.model / "model.safetensors")
        card = {**json.loads((arguments.model / "config.json").read_text()), "denoising": {"schedule": "cosine"}}
        (arguments.model / "config.json").write_text(json.dumps(card, indent=1) + "\n")

    run("fine-tuning", model, loss_of, Schedule(arguments.steps, decay=0.9), 0.8, arguments.state, export)


if __name__ == "__main__":
    main()
