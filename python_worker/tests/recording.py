"""A CUDA graph's likeness on a CPU: each operation of a run, done again on the very tensors that it was done on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
READS = (
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.equal.default,
    aten.repeat_interleave.Tensor,
    aten._unique2.default,
)
OF_HOST = aten.lift_fresh.default  # a tensor of Python's numbers


class Recording(TorchDispatchMode):
    """What runs within it. Raises as a capture does where a value is read, or comes from elsewhere than the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._calls: list[tuple[Callable[..., Any], Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        by_mask = func in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default)
        masks = by_mask and any(index is not None and index.dtype == torch.bool for index in args[1])
        if func in READS or func is OF_HOST or masks:
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        result = func(*args, **(kwargs or {}))
        self._calls.append((func, args, kwargs or {}, result))
        return result

    def again(self) -> None:
        for func, args, kwargs, result in self._calls:
            given = {x.untyped_storage().data_ptr() for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
            for mine, new in zip(tree_leaves(result), tree_leaves(func(*args, **kwargs)), strict=True):
                # a view of what was given, or that itself, holds what is new already
                if isinstance(mine, Tensor) and mine.untyped_storage().data_ptr() not in given:
                    mine.copy_(new)


def record(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """As `graphs.cuda()` makes one."""
    run()
    recording = Recording()
    with recording:
        result = run()

    def replay() -> Tensor:
        recording.again()
        return result

    return replay
