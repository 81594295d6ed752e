"""Liquid-7B (arXiv 2412.04332), such as Junfeng5/Liquid_V1_7B: Gemma, whose vocabulary goes on with Chameleon's codes.

Prompts and recommended sampling are those of the published inference code, which draws 32 x 32 codes and no other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import GemmaConfig, GemmaForCausalLM

from ..checkpoint import hash_files, hash_part, names_of, read_config
from ..errors import StartupError
from ..models.vqgan_shapes import read_vqgan_config
from .base import Adapter, Attend, Encode, Entries, Parts, TokenizedPrompt, pixels
from .chameleon_pictures import FILE, find_pictures, load_encoder, load_pictures
from .denoising import check_denoising, read_denoising
from .library import (
    SLOTS,
    cache_shape,
    check_length,
    check_model,
    hidden_states,
    load_model,
    read_library_config,
    read_tokenizer,
    special_ids,
    standard_parts,
    tokenize,
)

FIRST = 256_000  # the id of code 0: Gemma's text takes all before
SIDE = 32  # codes
BEGIN, UNCONDITIONAL, START = "<bos>", "<unconditional>", "<boi>"
PROMPT = {
    "template": BEGIN + "{prompt} Generate an image based on this description." + START,
    "unconditional": BEGIN + UNCONDITIONAL + START,
}
SAMPLING = {"guidance": 7.0, "temperature": 0.99, "topK": 4096, "topP": 0.96}


class LiquidAdapter(Adapter):
    """One checkpoint folder. Raises `StartupError` where it cannot be used."""

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        *,
        quantize: str | None = None,
        gpus: int | None = None,
    ) -> None:
        values, path = read_config(folder), folder / "config.json"
        config: Any = read_library_config(GemmaConfig, folder)
        self._tokenizer = read_tokenizer(folder, FIRST)
        special_ids(self._tokenizer, [BEGIN, UNCONDITIONAL, START], folder / "tokenizer.json")
        weights = check_model(GemmaForCausalLM, config, folder)
        (pictures,), _ = find_pictures(folder, [])
        vq = read_vqgan_config(pictures)
        if config.vocab_size < FIRST + vq.num_embeddings:
            message = f"{path}: vocab_size is {config.vocab_size}; {FIRST} ids of text and {vq.num_embeddings} codes "
            raise StartupError("wrong-config", f"{message}need more.", "Use the files of one and the same checkpoint.")
        layout = [-1] * SIDE**2
        check_length(config, layout, path)
        paths = [path, *weights, folder / FILE, *check_denoising(values, folder)]
        self._model = load_model(
            GemmaForCausalLM, config, folder, device, dtype, quantize=quantize, gpus=gpus, attn_implementation=SLOTS
        )
        self.trained = {"": self._model}
        self._vq, self._pictures_at, self._device = vq, pictures, device
        self.pictures = load_pictures(vq, [pictures], "", device)
        self._rows = slice(FIRST, FIRST + vq.num_embeddings)
        # what the model takes is scaled: no rows of the weights
        table = self.embed(torch.arange(FIRST, FIRST + vq.num_embeddings, device=device))
        denoising = read_denoising(values, folder, table)
        self.embeddings, self.timestep = denoising.embeddings, denoising.timestep
        self.cache = cache_shape(config, len(layout))
        side = SIDE * 2 ** (len(vq.channel_multiplier) - 1)
        self.card = {
            "family": "liquid",
            "name": values.get("name", names_of(folder)[0]),
            "hash": hash_files(paths, quantize or ""),
            "vocabulary": config.vocab_size,
            "image": {"first": FIRST, "count": vq.num_embeddings},
            "grid": {"rows": SIDE, "columns": SIDE},
            "picture": {"height": side, "width": side},
            "width": config.hidden_size,
            "layout": layout,
            "denoising": denoising.said,
            "prompt": PROMPT,
            "sampling": SAMPLING,
        }

    def tokenize(self, prompt: str) -> TokenizedPrompt:
        return tokenize(self._tokenizer, PROMPT, prompt)

    def embed(self, ids: Tensor) -> Tensor:
        return self._model.model.embed_tokens(ids)

    def forward(self, entries: Entries, attend: Attend) -> Tensor:
        return F.linear(hidden_states(self._model.model, entries, attend), self._model.lm_head.weight[self._rows])

    def decode(self, codes: Tensor) -> Tensor:
        pictures = self.pictures(codes.view(-1, SIDE, SIDE)).permute(0, 2, 3, 1)
        return (pictures + 1) / 2 * 255  # the original cuts off, too

    def codebook(self) -> Tensor:
        return self.pictures.quantize["embedding"].weight

    def encoder(self) -> Encode:
        network = load_encoder(self._vq, [self._pictures_at], "", self._device)
        return lambda pictures: network.encode(pixels(pictures)).image_tokens.view(len(pictures), -1)

    def encoder_hash(self) -> str:
        return hash_part([self._pictures_at], "", None)


load = LiquidAdapter


def parts(folder: Path) -> Parts:
    """See base.py."""
    return *standard_parts(folder), lambda: find_pictures(folder, [])
