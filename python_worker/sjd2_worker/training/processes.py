"""Several processes, one to a GPU, that train one model: each takes its batches of a step, gradients are averaged.

`python -m torch.distributed.run --nproc-per-node N -m sjd2_worker.training.finetune …` starts them, or `accelerate
launch`: both say by environment variables who is who. Every process holds the whole model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn


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
            if parameter.grad is not None:
                distributed.all_reduce(parameter.grad)
                parameter.grad /= self.count

    def agree(self, yes: bool) -> bool:
        """Whether any of them says yes."""
        if self.count == 1:
            return yes
        said = torch.tensor(float(yes), device="cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.all_reduce(said)
        return bool(said)


ALONE = Processes()


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
