"""Trains the sequential scenes transformer: `python -m sjd2_worker.training.transformer --data FILE --out DIR`.

The learning rate stays flat to the end: fine-tuning goes on from there, trains the same clean sequences beside its
windows, and brings the rate down.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ..models.transformer import PADDING, ScenesConfig, ScenesTransformer
from .attention import blocked_causal, compiled
from .loop import Plan, Schedule, batch_indices, muon, run
from .scenes import WORDS

CAPTION_DROPOUT = 0.1


class SceneSequences:
    """The data file as batches: whole sequences of ids and their positions."""

    def __init__(self, path: Path, config: ScenesConfig, batch: int, seed: int) -> None:
        data = np.load(path)
        self.prompts, self.codes = torch.from_numpy(data["prompts"]), torch.from_numpy(data["codes"].astype(np.int64))
        self.config, self.batch, self.seed = config, batch, seed

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """(entries' ids [B, T], positions [B, T], the codes to predict [B, 576]); some captions are dropped."""
        rows = torch.from_numpy(batch_indices(self.seed, step, self.batch, len(self.codes)))
        prompts, codes = self.prompts[rows].clone(), self.codes[rows]
        dropped = np.random.default_rng((self.seed, 1, step)).random(self.batch) < CAPTION_DROPOUT
        prompts[torch.from_numpy(dropped), : self.config.caption] = PADDING
        ids = torch.cat((prompts, codes[:, :-1] + self.config.first_code), 1)
        positions = torch.arange(ids.shape[1]) - self.config.prompt
        return ids, positions.expand_as(ids), codes


def save_weights(modules: dict[str, torch.nn.Module], path: Path) -> None:
    """f16 safetensors; names are `<module>.<parameter>`."""
    tensors = {
        f"{m}.{n}": t.half().contiguous() for m, module in modules.items() for n, t in module.state_dict().items()
    }
    part = path.with_suffix(".part")
    save_file(tensors, part)
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what sjd2_worker.training.data wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for config.json and model.safetensors")
    parser.add_argument("--state", type=Path, required=True, help="the resumable state; continues it if it exists")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    config = ScenesConfig(words=WORDS)
    model = ScenesTransformer(config)
    forward = compiled(model)
    sequences = SceneSequences(arguments.data, config, arguments.batch, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    config.save(arguments.out / "config.json")

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        ids, positions, codes = sequences(step)
        with torch.autocast("cpu", torch.bfloat16):
            logits = forward(model.embedding(ids), positions, blocked_causal)[:, config.prompt - 1 :]
        loss = F.cross_entropy(logits.float().flatten(0, 1), codes.flatten())
        return loss, {"bits": loss.item() / math.log(2)}

    def export(step: int) -> dict[str, float]:
        save_weights({"transformer": model}, arguments.out / "model.safetensors")
        return {}

    parameters = dict(model.named_parameters())
    plan = Plan("transformer", Schedule(arguments.steps, decay=0.0), arguments.state)
    run(plan, parameters, muon(parameters, 3e-3), loss_of, export)


if __name__ == "__main__":
    main()
