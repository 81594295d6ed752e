"""Janus-Pro (arXiv 2501.17811) in transformers' layout, such as deepseek-community/Janus-Pro-1B.

Beside the language model, images have an embedding, an aligner and a head of their own. An image token feeds the
aligner's output: noise and denoising work on that. In the vocabulary, the image codes follow the text's ids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import JanusConfig, JanusForConditionalGeneration, JanusVQVAE

from ..checkpoint import Blank, hash_files, hash_part, names_of, read_config
from ..errors import StartupError
from ..models.llamagen_vq import encode_normalised
from .base import Adapter, Attend, Encode, Entries, TokenizedPrompt, pixels
from .denoising import check_denoising, read_denoising
from .library import (
    SLOTS,
    cache_shape,
    check_model,
    hidden_states,
    load_model,
    read_library_config,
    read_tokenizer,
    read_vq,
    special_ids,
    standard_parts,
)

BEGIN, PADDING = "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5c\u2581pad\u2581\uff5c>"
START = "<begin_of_image>"
PROMPT = {
    "template": BEGIN + "<|User|>: {prompt}\n\n<|Assistant|>:" + START,
    "unconditional": f"{BEGIN}{PADDING}…{START}",  # as long as with the prompt
}
# what sees and writes, and what reads pictures: drawing needs none of these
SEEING = ("lm_head.", "model.vision_model.", "model.aligner.", "model.vqmodel.encoder.", "model.vqmodel.quant_conv.")
SAMPLING = {"guidance": 5.0, "temperature": 1.0, "topK": 0, "topP": 1.0}


class JanusAdapter(Adapter):
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
        values = read_config(folder)
        config: Any = read_library_config(JanusConfig, folder)
        text, vq, side = config.text_config, config.vq_config, config.vq_config.num_patches
        for name in ("projection_dim", "image_token_embed_dim"):
            if getattr(vq, name) != text.hidden_size:
                message = f"{folder / 'config.json'}: vq_config.{name} is {getattr(vq, name)} and should be "
                message += f"text_config.hidden_size, {text.hidden_size}."
                raise StartupError("wrong-config", message, "Restore the file.")
        weights = check_model(JanusForConditionalGeneration, config, folder, spare=SEEING)
        self._vq_said = values.get("vq_config")
        paths = [folder / "config.json", *weights]
        paths += check_denoising(values, folder)
        self._tokenizer = read_tokenizer(folder, text.vocab_size)
        special = special_ids(self._tokenizer, (BEGIN, PADDING, START), folder / "tokenizer.json")
        self._begin, self._padding, self._start = special
        loaded = load_model(
            JanusForConditionalGeneration, config, folder, device, dtype, layers="model.language_model.layers",
            quantize=quantize, gpus=gpus, attn_implementation={"text_config": SLOTS},
        )  # fmt: skip
        self._model, self._weights, self._vq = loaded.model, weights, vq
        del loaded.lm_head, loaded.model.vision_model, loaded.model.aligner  # they see and write; drawing needs neither
        del loaded.model.vqmodel
        with Blank():
            self.pictures = JanusVQVAE(vq)
        del self.pictures.encoder, self.pictures.quant_conv
        read_vq(self.pictures, weights, device)
        parts = ("language_model", "generation_embeddings", "generation_aligner", "generation_head")
        self.trained = {f"model.{name}.": getattr(self._model, name) for name in parts}
        self._first = text.vocab_size
        table = self._aligned(torch.arange(vq.num_embeddings, device=device))
        denoising = read_denoising(values, folder, table)
        self.embeddings, self.timestep = denoising.embeddings, denoising.timestep
        self.cache = cache_shape(text, side**2)
        pixels = side * 2 ** (len(vq.channel_multiplier) - 1)
        self.card = {
            "family": "janus",
            "name": values.get("name", names_of(folder)[0]),
            "hash": hash_files(paths, quantize or ""),
            "vocabulary": self._first + vq.num_embeddings,
            "image": {"first": self._first, "count": vq.num_embeddings},
            "grid": {"rows": side, "columns": side},
            "picture": {"height": pixels, "width": pixels},
            "width": text.hidden_size,
            "layout": [-1] * side**2,
            "denoising": denoising.said,
            "prompt": PROMPT,
            "sampling": SAMPLING,
        }

    def tokenize(self, prompt: str) -> TokenizedPrompt:
        whole = PROMPT["template"].replace("{prompt}", prompt.strip())
        ids = self._tokenizer.encode(whole, add_special_tokens=False).ids
        return TokenizedPrompt(ids, [self._begin, *[self._padding] * (len(ids) - 2), self._start], [])

    def embed(self, ids: Tensor) -> Tensor:
        codes = ids - self._first
        words = self._model.language_model.embed_tokens(ids.clamp(max=self._first - 1))
        return torch.where(codes[:, None] < 0, words, self._aligned(codes.clamp(min=0)))

    def forward(self, entries: Entries, attend: Attend) -> Tensor:
        return self._model.generation_head(hidden_states(self._model.language_model, entries, attend))

    def decode(self, codes: Tensor) -> Tensor:
        return (self.pictures.decode(codes).permute(0, 2, 3, 1) + 1) / 2 * 255

    def codebook(self) -> Tensor:
        return self.pictures.quantize.embedding.weight

    def encoder(self) -> Encode:
        with Blank():
            whole = JanusVQVAE(self._vq)
        read_vq(whole, self._weights, self.embeddings.table.device)
        return lambda pictures: encode_normalised(whole, pixels(pictures))

    def encoder_hash(self) -> str:
        return hash_part(self._weights, "model.vqmodel.", self._vq_said)

    def _aligned(self, codes: Tensor) -> Tensor:
        """Image codes int64 [N], counted from 0, to what the language model takes, [N, width]."""
        return self._model.generation_aligner(self._model.generation_embeddings(codes))


load, parts = JanusAdapter, standard_parts
