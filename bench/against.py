"""What a user would run instead of sjd2, for `against.ts`: prints each turn's seconds, of wall time and of processors.

`prepare DIR`: tiny random checkpoints of Janus and Anole (a Chameleon), 24x24 codes, by its `save_pretrained`.
`decode`: Janus by transformers' own `generate`; Anole, whose `generate` bars images, by a loop over the library's model
and its cache; scenes by a loop over the plain model and a static cache. All sample in eager mode, with guidance, a
batch of two rows for each image.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

TOKENS, SIDE = 576, 48
Decode = Callable[[], Tensor]  # tokens [images, TOKENS]


class Task(NamedTuple):
    """What to decode, by the checkpoint in `folder`: `images` pictures of one prompt."""

    folder: Path
    conditional: list[int]
    unconditional: list[int]
    images: int
    guidance: float


def scenes(task: Task) -> Decode:
    from sjd2_worker.adapters.scenes import ScenesAdapter

    adapter = ScenesAdapter(task.folder, torch.device("cpu"), torch.float32)
    model, shape, first = adapter._transformer, adapter.cache, adapter.card["image"]["first"]
    prompts = torch.tensor([task.conditional, task.unconditional] * task.images)
    length = prompts.shape[1]
    keys, values = torch.zeros(2, shape.layers, 2 * task.images, shape.heads, length + TOKENS, shape.head_width)
    last = torch.tensor([-1])

    def forward(ids: Tensor, start: int) -> Tensor:
        end = start + ids.shape[1]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys[layer, :, :, start:end], values[layer, :, :, start:end] = k.transpose(1, 2), v.transpose(1, 2)
            seen = keys[layer, :, :, :end], values[layer, :, :, :end]
            return scaled_dot_product_attention(q.transpose(1, 2), *seen, is_causal=end - start > 1).transpose(1, 2)

        positions = torch.arange(start - length, end - length).expand(2 * task.images, -1)
        return model(model.embedding(ids), positions, attend, last)[:, -1]

    def decode() -> Tensor:
        codes = [sample(forward(prompts, 0), task.guidance)]
        for cell in range(length, length + TOKENS - 1):
            codes.append(sample(forward(first + codes[-1].repeat_interleave(2)[:, None], cell), task.guidance))
        return torch.stack(codes, 1)

    return decode


def chameleon(task: Task) -> Decode:
    from transformers import ChameleonForConditionalGeneration

    from sjd2_worker.adapters.chameleon import load

    image = load(task.folder, torch.device("cpu"), torch.float32).card["image"]
    whole: Any = ChameleonForConditionalGeneration.from_pretrained(task.folder).eval()
    head = whole.lm_head.weight[image["first"] : image["first"] + image["count"]]
    # the shorter prompt is padded on the left, as `generate` wants it
    conditional, unconditional = task.conditional, task.unconditional
    pad = len(conditional) - len(unconditional)
    prompts = torch.tensor([conditional, [0] * pad + unconditional] * task.images)
    seen = torch.tensor([[1] * len(conditional), [0] * pad + [1] * len(unconditional)] * task.images)

    def decode() -> Tensor:
        ids, mask, cache, codes = prompts, seen, None, []
        for _ in range(TOKENS):
            places = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            output = whole.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=places,
                past_key_values=cache,
                use_cache=True,
            )
            cache = output.past_key_values
            codes.append(sample(linear(output.last_hidden_state[:, -1], head), task.guidance))
            ids = image["first"] + codes[-1].repeat_interleave(2)[:, None]
            mask = torch.cat((mask, torch.ones(2 * task.images, 1, dtype=mask.dtype)), 1)
        return torch.stack(codes, 1)

    return decode


def janus(task: Task) -> Decode:
    """`generate` makes the unconditional prompt itself."""
    from transformers import JanusForConditionalGeneration

    whole: Any = JanusForConditionalGeneration.from_pretrained(task.folder).eval()
    prompts = torch.tensor([task.conditional] * task.images)
    return lambda: whole.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        generation_mode="image",
        do_sample=True,
        guidance_scale=task.guidance,
    )


def sample(logits: Tensor, guidance: float) -> Tensor:
    """Guided codes [images] of the logits [2 * images, codes], conditional and unconditional in turn."""
    conditional, unconditional = logits[0::2], logits[1::2]
    guided = unconditional + guidance * (conditional - unconditional)
    return torch.multinomial(guided.softmax(-1), 1)[:, 0]


def prepare(folder: Path) -> None:
    from tests.tiny_families import write_anole, write_janus

    write_janus(folder / "janus", SIDE)
    write_anole(folder / "chameleon", SIDE)
    print(json.dumps([path.name for path in folder.iterdir()]))


def seconds(decode: Decode, images: int, turns: int) -> list[tuple[float, float]]:
    times = []
    with torch.inference_mode():
        for _ in range(1 + turns):  # the first warms up
            wall, processor = time.perf_counter(), time.process_time()
            codes = decode()
            times.append((time.perf_counter() - wall, time.process_time() - processor))
            assert codes.shape == (images, TOKENS), codes.shape
    return times[1:]


def ids(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare").add_argument("folder", type=Path)
    add = commands.add_parser("decode").add_argument
    add("--family", choices=("scenes", "janus", "chameleon"), required=True)
    add("--model", type=Path, required=True)
    add("--conditional", type=ids, required=True)
    add("--unconditional", type=ids, required=True)
    add("--images", type=int, required=True)
    add("--guidance", type=float, required=True)
    add("--turns", type=int, required=True)
    arguments = parser.parse_args(words)
    if arguments.command == "prepare":
        prepare(arguments.folder)
        return
    make = {"scenes": scenes, "janus": janus, "chameleon": chameleon}[arguments.family]
    prompts = arguments.conditional, arguments.unconditional
    task = Task(arguments.model, *prompts, arguments.images, arguments.guidance)
    print(json.dumps(seconds(make(task), task.images, arguments.turns)))


if __name__ == "__main__":
    main()
