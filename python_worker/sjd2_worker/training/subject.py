"""What is fine-tuned: an adapter whose weights, or low-rank additions to them, may change, and how it reads noise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..adapters.base import Adapter, Embeddings
from ..errors import StartupError, install
from ..models.transformer import TimestepEmbedding
from .noise import NOISE_SCHEDULES
from .processes import shard

TIMESTEP = "timestep."


class Subject:
    """An adapter in training.

    `parameters` are what an optimiser may change, by the names of their tensors in the checkpoint's files. The timestep
    embedding is the checkpoint's own, else a new one that gives zeros: at step 0, the model is what it was.
    """

    def __init__(self, adapter: Adapter, schedule: str | None, rank: int | None, shared: bool = False) -> None:
        """`rank`: of the low-rank additions to every linear layer of the blocks; None trains the weights themselves.
        `shared`: the processes share the blocks' weights.

        Raises `wrong-family` where there is nothing to train, `wrong-config` where noise is of another schedule.
        """
        said = adapter.card["denoising"]
        if not adapter.trained:
            message = f"The adapter of {adapter.card['name']} does not say what fine-tuning may change."
            raise StartupError("wrong-family", message, "Let it set `trained`: see sjd2_worker/adapters/base.py.")
        if said and schedule not in (None, said["schedule"]):
            message = f"{adapter.card['name']} reads noise of the schedule {said['schedule']}, not {schedule}."
            raise StartupError("wrong-config", message, "Leave --schedule out, or begin with the original checkpoint.")
        self.shared = shared
        self.adapter, self.schedule = adapter, schedule or (said["schedule"] if said else "cosine")
        self.count, self.first = adapter.card["image"]["count"], adapter.card["image"]["first"]
        self.table = torch.arange(self.first, self.first + self.count, device=adapter.embeddings.table.device)
        own = adapter.timestep
        width = adapter.card["width"]
        self.timestep = own if isinstance(own, TimestepEmbedding) else TimestepEmbedding(width).to(self.table.device)
        self.timestep.float()
        adapter.timestep = self.timestep
        if rank:
            _add_low_rank(adapter, rank)
        for name, parameter in _named(adapter):
            parameter.requires_grad_(rank is None or "lora_" in name)
        self.timestep.requires_grad_(True)
        if shared:
            shard(_blocks(adapter))
        self.parameters: dict[str, nn.Parameter] = {
            name: parameter for name, parameter in _named(adapter) if parameter.requires_grad
        } | {TIMESTEP + name: parameter for name, parameter in self.timestep.named_parameters()}

    def measure(self) -> None:
        """Mean and deviation of the image embeddings as they are now: to be called after the weights have changed."""
        with torch.no_grad():
            self.adapter.embeddings = Embeddings.measured(self.adapter.embed(self.table))

    def noisy(self, ids: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Entries [B, T, width] of ids [B, T], noised to `timesteps` [T]; timestep 0 is the plain embedding."""
        clean = self.adapter.embed(ids.flatten()).view(*ids.shape, -1)
        own = self.adapter.embeddings
        deviation = torch.where(own.deviation > 0, own.deviation, 1.0)
        signal, share = NOISE_SCHEDULES[self.schedule](timesteps[:, None])
        latent = signal * (clean - own.mean) / deviation + share * noise
        return torch.where(timesteps[:, None] > 0, self.adapter.noisy(latent, timesteps).to(clean.dtype), clean)

    def remember_less(self) -> None:
        """Keeps nothing from within a block for the backward pass, and computes it again there."""
        for block in _blocks(self.adapter):
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)

    def compile(self) -> None:
        """torch.compile, in place. It pays where shapes never change: prompts of one length."""
        for part in self.adapter.trained.values():
            part.compile()

    def changed(self) -> dict[str, Tensor]:
        """The trained tensors as the checkpoint's files name them; low-rank additions are added."""
        tensors = {
            name: parameter.detach()
            for name, parameter in self.parameters.items()
            if not name.startswith(TIMESTEP) and "lora_" not in name
        }
        for prefix, part in self.adapter.trained.items():
            for name, layer in part.named_modules():
                if hasattr(layer, "get_delta_weight"):
                    weight: Any = layer.get_base_layer().weight
                    delta: Any = layer.get_delta_weight("default")
                    tensors[f"{prefix}{name}.weight"] = (weight.float() + delta.float()).detach()
        return tensors

    def learnt(self) -> dict[str, Tensor]:
        """What belongs to noise: the timestep embedding, and the image embeddings' mean and deviation."""
        self.measure()
        own = self.adapter.embeddings
        timestep = {TIMESTEP + name: tensor for name, tensor in self.timestep.state_dict().items()}
        return timestep | {"mean": own.mean, "deviation": own.deviation}


def _named(adapter: Adapter) -> Iterator[tuple[str, nn.Parameter]]:
    for prefix, part in adapter.trained.items():
        for name, parameter in part.named_parameters():
            yield prefix + name, parameter


def _blocks(adapter: Adapter) -> Iterator[nn.Module]:
    """The repeated parts of the model: all members of its outermost lists of modules."""
    for part in adapter.trained.values():
        lists = [(name, module) for name, module in part.named_modules() if isinstance(module, nn.ModuleList)]
        for name, module in lists:
            if not any(name.startswith(f"{other}.") for other, _ in lists):
                yield from module


def _add_low_rank(adapter: Adapter, rank: int) -> None:
    """LoRA (arXiv 2106.09685) on every linear layer within the blocks, by peft."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        message = "Low-rank fine-tuning needs peft, which this Python lacks."
        raise StartupError("missing-library", message, f"{install('training')}   (or leave --lora out)") from error
    inside = {layer for block in _blocks(adapter) for layer in block.modules() if isinstance(layer, nn.Linear)}
    for part in adapter.trained.values():
        names = [name for name, layer in part.named_modules() if layer in inside]
        if names:
            inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names), part)
