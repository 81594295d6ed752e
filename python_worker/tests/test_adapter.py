"""A family of one's own in one file, through `--adapter`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaForCausalLM

from sjd2_worker.loading import load
from sjd2_worker.protocol import VERSION

from .helpers import Share, ask, close, forward
from .library import Library, Run
from .library import forward as run
from .tiny_families import write_mine

SOURCE = '''
import torch
from sjd2_worker.adapters.base import Adapter, CacheShape, Embeddings, TokenizedPrompt, cells


class Averages(Adapter):
    """Predicts from the average of what it sees: one layer of attention that weighs all alike, and one weight."""

    def __init__(self, device, dtype):
        self.weight = torch.linspace(-1, 1, 7 * 4, device=device, dtype=dtype).view(7, 4)
        self.cache = CacheShape(layers=1, cells=cells(2, 6), heads=1, head_width=4)
        self.embeddings = Embeddings.measured(self.weight[2:])
        self.card = {
            "family": "averages", "name": "averages", "hash": "0", "vocabulary": 7, "image": {"first": 2, "count": 5},
            "grid": {"rows": 2, "columns": 2}, "picture": {"height": 2, "width": 2}, "width": 4,
            "layout": [-1, -1, 6, -1, -1, 6], "denoising": None,
            "sampling": {"guidance": 1, "temperature": 1, "topK": 0, "topP": 1},
        }

    def tokenize(self, prompt):
        return TokenizedPrompt([0, 1], [1], [])

    def embed(self, ids):
        return self.weight[ids]

    def forward(self, entries, attend):
        values = entries.embeddings[None, :, None]
        seen = attend(0, torch.zeros_like(values), torch.zeros_like(values), values)
        return seen[0, entries.rows, 0] @ self.weight[2:].T + entries.places[entries.rows, None]

    def decode(self, codes):
        return codes.view(-1, 2, 2, 1).repeat(1, 1, 1, 3).float()


def load(folder, device, dtype):
    return Averages(device, dtype)
'''


def test_a_family_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    worker = load(tmp_path, tmp_path / "mine.py", "cpu", "auto", 2)
    assert ask(worker, {"op": "hello", "id": 1, "protocol": VERSION})[0]["model"]["layout"] == [-1, -1, 6, -1, -1, 6]
    table = torch.linspace(-1, 1, 28).view(7, 4).numpy()

    assert ask(worker, *forward(Share([(0, 0)], [0], [-2]), width=4))[0]["ok"]
    head, tensors = forward(Share([(0, 1), (1, 0)], [-2, 3], [-1, 0], [0, 1], 3.0), width=4)
    head["lanes"][0]["branches"] = [
        {"slot": 0, "base": 1, "prompt": 2, "anchor": 1},
        {"slot": 1, "base": 0, "prompt": 1, "anchor": 1},
    ]
    _, found = ask(worker, head, tensors)
    # the branches' prompts differ in length: they see different cells and stand at different places
    conditional = np.array([table[[0, 1]].mean(0), table[[0, 1, 3]].mean(0)]) @ table[2:].T + [[1], [2]]
    unconditional = np.array([table[1], table[[1, 3]].mean(0)]) @ table[2:].T + [[0], [1]]
    close(found["logits"], unconditional + 3 * (conditional - unconditional))

    share = Share([(0, 3)], [-1], [1], [0], latents=[np.ones(4, np.float32)], timesteps=[1.0])
    head, tensors = forward(share, width=4)
    head["lanes"][0]["branches"][0]["prompt"] = 2
    _, found = ask(worker, head, tensors)
    latent = table[2:].mean(0) + table[2:].std(0, ddof=1)
    close(found["logits"], (table[[0, 1, 3]].sum(0) + latent)[None] / 4 @ table[2:].T + 3)

    _, decoded = ask(worker, {"op": "decode", "id": 2}, {"codes": np.array([[0, 1, 2, 3]], np.int32)})
    assert decoded["pictures"][0, :, :, 0].tolist() == [[0, 1], [2, 3]]


def test_the_example(tmp_path: Path) -> None:
    """examples/my_adapter.py, held to its library's own forward and to the promise that it is short."""
    example = Path(__file__).parents[2] / "examples" / "my_adapter.py"
    assert len(example.read_text("utf-8").splitlines()) < 80
    write_mine(tmp_path)
    worker = load(tmp_path, example, "cpu", "f32", 1)
    ids, prompt = [*b"red", 256, 257, 260, 268, 258], 4
    whole: Any = LlamaForCausalLM.from_pretrained(tmp_path)
    library = Library(whole.model, lambda hidden: whole.lm_head(hidden)[:, 257:])
    found = run(worker, Run(0, 0, ids, prompt))[0]
    np.testing.assert_allclose(found, library.logits(whole.model.embed_tokens(torch.tensor(ids))), atol=1e-4)
    reply, _ = ask(worker, {"op": "tokenize", "id": 1, "prompts": ["red"]})
    assert reply["prompts"] == [{"conditional": ids[:prompt], "unconditional": [256], "unknown": [], "cut": []}]
    _, decoded = ask(worker, {"op": "decode", "id": 2}, {"codes": np.full((1, 64), 11, np.int32)})
    assert decoded["pictures"][0, 7, 7].tolist() == [33, 34, 35]
