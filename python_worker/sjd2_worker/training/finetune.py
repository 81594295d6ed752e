"""Next-clean-token fine-tuning (arXiv 2510.08994, section 3) of any adapter's model.

DATA is a folder of pictures with captions (<name>.txt beside each, or captions.jsonl), or of shards that
`python -m sjd2_worker.training.shards` made of one. OUT becomes a checkpoint that decoding loads as it is: the original
files with other weights, what belongs to noise, and in training/ the state, to go on with, and the log:
tensorboard --logdir OUT/training

A run that was stopped or killed goes on where its last state is, and ends with the weights of one that never was. With
a greater --steps, a finished one goes on, too.

examples:
  python -m sjd2_worker.training.finetune --model Janus-Pro-1B --data pictures --out tuned --lora 32 --held-out 64
  python -m sjd2_worker.training.finetune --model Lumina-mGPT-7B --size 768 --data shards --out tuned --dtype bf16 \\
      --checkpointing --batch 2 --accumulate 8
  python -m torch.distributed.run --nproc-per-node 4 -m sjd2_worker.training.finetune --model … (one process to a GPU)
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from ..__main__ import _watch, positive
from ..adapters.base import Adapter
from ..errors import StartupError
from ..hub import found
from .attention import can_compile
from .checking import Checks
from .command import add_data, add_model, load_adapter, run
from .examples import Data, Examples, read_data
from .folders import holds_pictures
from .loop import Plan, Schedule, adamw, muon
from .loop import run as run_steps
from .objective import Objective
from .processes import Processes, joined, shared_as
from .shard_files import find_shards
from .subject import Subject
from .windows import LENGTH
from .writing import check_writable, write

OPTIMISERS = {"adamw": adamw, "muon": muon}
SAME = ("batch", "accumulate", "learning_rate", "optimiser", "seed", "window", "caption_dropout", "lora", "dtype")


def main() -> int:
    arguments = _parser().parse_args()
    stopped = _stops(arguments.parent)

    def tune() -> dict[str, Any]:
        with joined() as processes:
            return _tune(arguments, processes, stopped)

    return run(tune)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sjd2_worker.training.finetune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of pictures and captions, or of shards; or one file")
    add("--out", type=Path, required=True, help="folder of the fine-tuned checkpoint")
    add("--steps", type=_natural, default=1000, help="in all; 0 writes the model as it is, ready for noise")
    add("--batch", type=positive, default=8, help="examples of a batch")
    add("--accumulate", type=positive, default=1, help="batches of a step, in each process")
    add("--learning-rate", type=float, help="default: 2e-5; 2e-4 with --lora")
    add("--decay", type=float, default=0.9, help="share of the steps, at the end, over which it falls to zero")
    add("--optimiser", choices=tuple(OPTIMISERS), default="adamw", help="muon: for the matrices of the blocks")
    add("--lora", type=positive, metavar="RANK", help="train low-rank additions, and add them in the end")
    add("--dtype", choices=("f32", "mixed", "bf16"), default="mixed", help="mixed: weights f32, arithmetic bf16")
    add("--checkpointing", action="store_true", help="compute blocks twice instead of remembering them")
    add("--shard", action="store_true", help="each process keeps its share of the blocks' weights (FSDP)")
    add("--compile", action="store_true", help="torch.compile; pays where all prompts are of one length")
    add("--schedule", choices=("cosine", "karras", "linear"), help="of noise (default: the model's, or cosine)")
    add("--window", type=positive, default=LENGTH, help="entries of the windows that are trained")
    add("--caption-dropout", type=float, default=0.1, help="share of captions dropped, for guidance")
    add("--held-out", type=_natural, default=0, help="examples, the last ones, to validate with at every state")
    add("--every", type=positive, default=100, help="steps between two states")
    add("--seed", type=int, default=0)
    add("--base", type=Path, help="a state whose weights, in full precision, are begun with instead of the model's")
    add("--state", type=Path, help="default: OUT/training/state.safetensors")
    add("--captions-changed", action="store_true", help="go on from a state though captions, not pictures, changed")
    add_data(parser)
    add("--parent", type=int, metavar="PID", help="stop when this process is gone")
    return parser


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def _stops(parent: int | None) -> Callable[[], bool]:
    """Whether the run was asked to stop: by a signal, which it remembers until a step is whole, or its parent's end."""
    asked, gone = list[int](), _watch(parent)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, frame: asked.append(which))
    return lambda: bool(asked) or gone()


def _tune(arguments: argparse.Namespace, processes: Processes, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Raises `StartupError`, or `StoppedError`."""
    source, out = found(arguments.model), arguments.out
    torch.manual_seed(arguments.seed)
    adapter = load_adapter(arguments, "bf16" if arguments.dtype == "bf16" else "f32")
    model = adapter.card["hash"]
    if arguments.shard and arguments.optimiser == "muon":
        message = "--optimiser muon needs whole matrices, which --shard leaves to no process."
        raise StartupError("wrong-config", message, "Leave one of them out.")
    subject = Subject(adapter, arguments.schedule, arguments.lora, arguments.shard and processes.count > 1)
    check_writable(source, out, subject)
    if arguments.base:
        _begin_with(arguments.base, subject.parameters)
    examples = _examples_of(arguments, adapter, stopped)
    count, held = len(examples.codes), arguments.held_out
    if held >= count:
        message = f"There are {count} examples in {arguments.data}; none is left when {held} are held out."
        raise StartupError("wrong-config", message, "Choose a smaller --held-out.")
    if arguments.checkpointing:
        subject.remember_less()
    if arguments.compile and can_compile():
        subject.compile()
    if arguments.learning_rate is None:
        arguments.learning_rate = 2e-4 if arguments.lora else 2e-5

    read = list[Examples]()

    def objective(chosen: range, batch: int, seed: int, dropout: float) -> Objective:
        read.append(Examples(examples, chosen, batch, seed, dropout))
        return Objective(subject, read[-1], seed, arguments.window, arguments.dtype != "f32")

    training = objective(range(count - held), arguments.batch, arguments.seed, arguments.caption_dropout)
    batch = min(arguments.batch, held)
    validation = objective(range(count - held, count), batch, arguments.seed + 1, 0.0) if held else None
    settings = {name: getattr(arguments, name) for name in SAME} | {
        "model": model, **examples.hashes(), "held_out": held, "processes": processes.count,
    }  # fmt: skip
    state = arguments.state or out / "training" / "state.safetensors"
    plan = Plan(
        "fine-tuning", Schedule(arguments.steps, arguments.decay), state, arguments.every, arguments.accumulate,
        settings, state.parent, {"captions"} if arguments.captions_changed else set(),
    )  # fmt: skip

    def measure(step: int) -> dict[str, float]:
        return validate(validation, held // batch) if validation else {}

    group = OPTIMISERS[arguments.optimiser](subject.parameters, arguments.learning_rate)
    before = measure(0)
    run_steps(plan, subject.parameters, group, training, measure, processes, stopped)
    changed, learnt = processes.gather(subject.changed()), subject.learnt()  # of all processes
    if processes.first:
        write(source, out, subject, changed, learnt)
    after, skipped = measure(arguments.steps), examples.skipped + sum(len(each.failed) for each in read)
    return {"out": str(out), "steps": arguments.steps, "skipped": skipped, "before": before, "after": after}


def validate(objective: Objective, batches: int) -> dict[str, float]:
    """Losses in bits over the same windows and noise each time."""
    sums: dict[str, list[float]] = {}
    with torch.no_grad():
        for number in range(batches):
            for name, value in objective(number)[1].items():
                sums.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in sums.items()}


def _examples_of(arguments: argparse.Namespace, adapter: Adapter, stopped: Callable[[], bool]) -> Data:
    """The data, checked; of pictures, shards are made in OUT. Raises `StartupError`, `StoppedError`."""
    data, checks = arguments.data, Checks(arguments.skip_bad, stopped)
    if not data.exists():
        raise StartupError("missing-checkpoint", f"There is no {data}.", "Give --data a folder that exists.")
    if data.is_file() or (find_shards(data) and not holds_pictures(data)):
        return read_data(data, adapter, checks)
    from .shards import write_shards

    shards: Path = arguments.out / "training" / "shards"
    made = write_shards(adapter, data, shards, 16, 4096, arguments.background, checks)
    return replace(read_data(shards, adapter), skipped=made["skipped"])


def _begin_with(path: Path, parameters: dict[str, nn.Parameter]) -> None:
    """Raises `wrong-config` where a weight fits nothing."""
    state = {name.removeprefix("model."): t for name, t in load_file(path).items() if name.startswith("model.")}
    parts = {name.split(".")[0] for name in parameters} - {"timestep"}
    prefix = f"{parts.pop()}." if len(parts) == 1 else ""  # a stage that trains one part does not name it
    with torch.no_grad():
        for name, tensor in state.items():
            own = parameters.get(name, parameters.get(prefix + name))
            if own is None or own.shape != tensor.shape:
                message = f"{path} has {name} of shape {list(tensor.shape)}, which the model has not."
                raise StartupError("wrong-config", message, "Give --base a state of the same model.")
            own.copy_(shared_as(tensor, own))


if __name__ == "__main__":
    raise SystemExit(main())
