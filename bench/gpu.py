"""The worker's pass on a GPU at real sizes, with random weights: `PYTHONPATH=python_worker python bench/gpu.py`.

Guided, entries in the middle of a picture, milliseconds, the least of many turns. Called: the worker calls each
operation. Replayed: it replays a CUDA graph, as it does by default. Bare: a CUDA graph of the same decoder over keys
and values of just this batch. Both of the worker's take a request's frames in and give a reply's out.
Nothing is downloaded: the weights are numbers of the model's shape, and time does not depend on what they are.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from forward import best, request
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention
from transformers import AutoModel, ChameleonConfig, LlamaConfig, PretrainedConfig

from sjd2_worker.adapters.base import Adapter, Embeddings, Entries, TokenizedPrompt
from sjd2_worker.adapters.library import SLOTS, cache_shape, hidden_states
from sjd2_worker.graphs import cuda
from sjd2_worker.protocol import decode_head
from sjd2_worker.server import answer
from sjd2_worker.worker import Worker

PROMPT = 40  # tokens
# Lumina-mGPT, 768 x 768 (arXiv 2510.08994): passes of an image, their window, and seconds on the paper's machine
PUBLISHED = {"sequential": (2357, 0, 88.55), "sjd2": (592, 96, 33.64)}


@dataclass(frozen=True)
class Shape:
    config: PretrainedConfig
    codes: int
    length: int  # positions of an image


def shapes() -> dict[str, Shape]:
    wide = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
    lumina = ChameleonConfig(**wide, vocab_size=65536, max_position_embeddings=10240, vocabulary_map={"<image>": 1})
    emu3 = LlamaConfig(
        **{**wide, "intermediate_size": 14336}, num_key_value_heads=8, vocab_size=184622, max_position_embeddings=9216
    )
    janus = LlamaConfig(
        hidden_size=2048, intermediate_size=5632, num_hidden_layers=24, num_attention_heads=16, vocab_size=102400
    )
    small = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    return {
        "lumina": Shape(lumina, 8192, 48 * 49 + 3),
        "emu3": Shape(emu3, 32768, 90 * 91 + 3),
        "janus-1b": Shape(janus, 16384, 24 * 24),
        "tiny": Shape(LlamaConfig(**small, vocab_size=600), 512, 24 * 24),  # to try this program on a CPU
    }


class RandomAdapter(Adapter):
    """A decoder of a shape; its image codes are the first ids."""

    def __init__(self, shape: Shape, device: torch.device, dtype: torch.dtype) -> None:
        self._decoder = _decoder(shape.config, device, dtype)
        self._head = torch.randn(shape.codes, shape.config.hidden_size, device=device, dtype=dtype) * 0.02
        self.embeddings = Embeddings.measured(self._decoder.get_input_embeddings().weight[: shape.codes])
        self.cache = cache_shape(shape.config, shape.length)
        self.card = {
            "vocabulary": shape.config.vocab_size,
            "image": {"first": 0, "count": shape.codes},
            "width": shape.config.hidden_size,
            "layout": [-1] * shape.length,
        }

    def tokenize(self, prompt: str) -> TokenizedPrompt:
        return TokenizedPrompt([0] * PROMPT, [0] * PROMPT, [])

    def embed(self, ids: Tensor) -> Tensor:
        return self._decoder.get_input_embeddings()(ids)

    def forward(self, entries: Entries, attend: Callable[..., Tensor]) -> Tensor:
        return linear(hidden_states(self._decoder, entries, attend), self._head)

    def decode(self, codes: Tensor) -> Tensor:
        raise NotImplementedError("Random weights draw no pictures.")


def _decoder(config: PretrainedConfig, device: torch.device, dtype: torch.dtype) -> nn.Module:
    config._attn_implementation = SLOTS
    with torch.device("meta"):
        decoder = AutoModel.from_config(config, attn_implementation=SLOTS)
    if hasattr(decoder, "vqmodel"):
        del decoder.vqmodel
    rotary = type(decoder.rotary_emb)(config)  # its frequencies are computed, not stored
    decoder = decoder.to(dtype).to_empty(device=device).eval().requires_grad_(False)
    decoder.rotary_emb = rotary.to(device)
    for name, weight in decoder.named_parameters():
        weight.fill_(1) if "norm" in name else weight.normal_(std=0.02)
    return decoder


def bare(adapter: RandomAdapter, images: int, entries: int, base: int, device: torch.device) -> Callable[[], Tensor]:
    """The decoder over keys and values of this batch alone, all rows' logits to the host."""
    shape, streams, end = adapter.cache, 2 * images, base + entries
    dtype = adapter._head.dtype
    size = (shape.layers, streams, shape.heads, end, shape.head_width)
    keys, values = torch.zeros(2, *size, device=device, dtype=dtype)
    seen = torch.ones(entries, end, dtype=torch.bool, device=device).tril(base)
    mask = torch.zeros(entries, end, device=device, dtype=dtype).masked_fill_(~seen, -torch.inf)

    def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.view(streams, entries, -1, shape.head_width).transpose(1, 2) for x in (q, k, v))
        keys[layer, :, :, base:], values[layer, :, :, base:] = k, v
        grouped = q.shape[1] != shape.heads
        out = scaled_dot_product_attention(
            q, keys[layer], values[layer], attn_mask=mask if entries > 1 else None, enable_gqa=grouped
        )
        return out.transpose(1, 2).reshape(1, streams * entries, -1, shape.head_width)

    positions = torch.arange(base - PROMPT, end - PROMPT, device=device).repeat(streams)
    rows = torch.arange(streams * entries, device=device)
    inputs = Entries(adapter.embed(torch.zeros_like(rows)), positions, positions + PROMPT, rows)

    def run() -> Tensor:
        return adapter.forward(inputs, attend)

    replay = cuda()(run) if device.type == "cuda" else run
    return lambda: replay()[: images * entries].half().cpu()


def measure(shape: Shape, arguments: argparse.Namespace) -> list[dict[str, float]]:
    device, dtype = torch.device(arguments.device), getattr(torch, arguments.dtype)
    adapter, base = RandomAdapter(shape, device, dtype), PROMPT + shape.length // 2
    records = []
    for images in arguments.images:
        called, replayed = (
            Worker(adapter, 2 * images, device, dtype, how) for how in (None, cuda() if device.type == "cuda" else None)
        )
        for window in arguments.windows:
            frames, _ = request(adapter, images, 1 + window, base, "f16")
            calls: dict[str, Callable[[], object]] = {
                "called": lambda frames=frames, worker=called: answer(worker, frames),
                "replayed": lambda frames=frames, worker=replayed: answer(worker, frames),
                "bare": bare(adapter, images, 1 + window, base, device),
            }
            assert decode_head(answer(replayed, frames).frames[0])["ok"], "The worker refused the pass."
            for call in calls.values():
                for _ in range(3):
                    call()
            records.append({"images": images, "window": window, **best(calls, arguments.seconds, time.perf_counter)})
            if not arguments.json:
                _print(records[-1])
        del called, replayed
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return records


def _print(record: dict[str, float]) -> None:
    times = "".join(f"{record[name]:10.2f}" for name in ("called", "replayed", "bare"))
    print(f"{record['images']:6} {record['window']:6}{times} ms{record['replayed'] / record['bare']:10.2f}", flush=True)


def _images(records: list[dict[str, float]]) -> None:
    """What the passes of an image take, at the published numbers of passes."""
    alone = {record["window"]: record["replayed"] for record in records if record["images"] == 1}
    for name, (passes, window, published) in PUBLISHED.items():
        if window in alone:
            seconds = passes * alone[window] / 1000
            print(f"{name}: {passes} passes of window {window}: {seconds:.2f} s; published {published} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=shapes(), default="lumina")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    parser.add_argument("--images", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--windows", type=int, nargs="+", default=[0, 32, 96])
    parser.add_argument("--seconds", type=float, default=3, help="for each shape of a pass")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not arguments.json:
        print(torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU: nothing is recorded")
        print("images window    called  replayed      bare    replayed/bare")
    with torch.inference_mode():
        records = measure(shapes()[arguments.shape], arguments)
    if arguments.json:
        print(json.dumps(records))
    elif arguments.shape == "lumina":
        _images(records)


if __name__ == "__main__":
    main()
