"""Several processes, one to a GPU, that train one model: each takes its batches of a step, gradients are averaged.

`python -m torch.distributed.run --nproc-per-node N -m sjd2_worker.training.finetune …` starts them, or `accelerate
launch`: both say by environment variables who is who. Every process holds the whole model; or its share of each block's
weights, gradients and optimiser state (FSDP, arXiv 2304.11277), and the others' only while that block runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.distributed.tensor import DTensor, distribute_tensor


@dataclass(frozen=True)
class Processes:
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this one speaks and writes for all."""
        return self.rank == 0

    def average(self, parameters: list[nn.Parameter]) -> None:
        """Their gradients, over all processes."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None and not isinstance(parameter, DTensor):  # those that are shared are averaged
                distributed.all_reduce(parameter.grad)
                parameter.grad /= self.count

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All of each tensor, in the first process; nothing in the others, which must ask, too."""
        whole = {}
        for name, tensor in tensors.items():  # one by one: all of them may be too much for a GPU
            full = tensor.full_tensor().cpu() if isinstance(tensor, DTensor) else tensor
            if self.first:
                whole[name] = full
        return whole

    def agree(self, yes: bool) -> bool:
        """Whether any of them says yes."""
        if self.count == 1:
            return yes
        said = torch.tensor(float(yes), device="cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.all_reduce(said)
        return bool(said)


ALONE = Processes()


def shard(blocks: Iterable[nn.Module]) -> None:
    """Leaves each process its share of the blocks' weights. The other processes must do the same."""
    from torch.distributed.fsdp import fully_shard

    for block in blocks:
        fully_shard(block, reshard_after_forward=True)


def shared_as(tensor: Tensor, like: Tensor) -> Tensor:
    """This process's share of a whole tensor, where that of `like` is shared."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


@contextmanager
def joined() -> Iterator[Processes]:
    """This process among the others, as its launcher says; alone where there is none."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if gpus else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
