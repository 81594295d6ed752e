"""Emu3-Gen (arXiv 2409.18869) in transformers' layout, such as Emu3-community/Emu3-Gen-hf.

Prompts, layout and recommended sampling are those of the published inference code.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Emu3Config, Emu3ForConditionalGeneration, Emu3TextConfig, Emu3VQVAEConfig
from transformers.models.emu3.modeling_emu3 import Emu3ImageVocabularyMapping, Emu3VQVAE

from ..checkpoint import Blank, existing, hash_files, hash_part, names_of, read_config, read_json
from ..errors import StartupError
from .base import Adapter, Attend, Encode, Entries, Sizes, TokenizedPrompt
from .denoising import check_denoising, read_denoising
from .library import (
    SLOTS,
    cache_shape,
    check_length,
    check_model,
    hidden_states,
    image_ids,
    load_model,
    read_library_config,
    read_tokenizer,
    read_vq,
    special_ids,
    standard_parts,
    tokenize,
)

BEGIN, START, IMAGE = "<|extra_203|>", "<|image start|>", "<|image token|>"
END_OF_LINE, END_OF_FRAME, END = "<|extra_200|>", "<|extra_201|>", "<|image end|>"
PROMPT = "{prompt} masterpiece, film grained, best quality."
NEGATIVE = (
    "lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, worst quality, "
    "low quality, normal quality, jpeg artifacts, signature, watermark, username, blurry."
)
SAMPLING = {"guidance": 3.0, "temperature": 1.0, "topK": 2048, "topP": 1.0}
SIZE = (720, 720)
NORMALISATION = "preprocessor_config.json"  # of pictures, for the VQ model
ENCODING = ("model.vqmodel.encoder.", "model.vqmodel.quant_conv.")  # what drawing does not need


class Emu3Adapter(Adapter):
    """One checkpoint folder. Raises `StartupError` where it cannot be used."""

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        *,
        size: tuple[int, int] | None = None,
        quantize: str | None = None,
        gpus: int | None = None,
    ) -> None:
        values, path = read_config(folder), folder / "config.json"
        config = read_library_config(Emu3Config, folder)
        text, vq = cast(Emu3TextConfig, config.text_config), cast(Emu3VQVAEConfig, config.vq_config)
        codes = Emu3ImageVocabularyMapping(config.vocabulary_map or {}).bpe2img
        ids = image_ids(codes, vq.codebook_size, path)
        height, width = size or SIZE
        stride = 2 ** (len(vq.channel_multiplier) - 1)
        if height % stride or width % stride:
            message = f"{path} is of a model whose pictures' sides are multiples of {stride} pixels."
            raise StartupError("wrong-config", message, "Choose another --size.")
        self._grid = rows, columns = height // stride, width // stride
        self._tokenizer = read_tokenizer(folder, text.vocab_size)
        names = (BEGIN, START, IMAGE, END_OF_LINE, END_OF_FRAME, END)
        *_, end_of_line, end_of_frame, end = special_ids(self._tokenizer, names, folder / "tokenizer.json")
        layout = ([-1] * columns + [end_of_line]) * rows + [end_of_frame, end]
        check_length(text, layout, path)

        weights = check_model(Emu3ForConditionalGeneration, config, folder, spare=ENCODING)
        processor = existing(folder / NORMALISATION)
        paths = [path, *weights, processor, *check_denoising(values, folder)]
        self._mean, self._deviation = _normalisation(processor, device)
        self._model = load_model(
            Emu3ForConditionalGeneration, config, folder, device, dtype, layers="model.text_model.layers",
            quantize=quantize, gpus=gpus, attn_implementation={"text_config": SLOTS},
        )  # fmt: skip
        del self._model.model.vqmodel
        with Blank():
            self.pictures = Emu3VQVAE(vq)
        del self.pictures.encoder, self.pictures.quant_conv  # pictures are only drawn
        read_vq(self.pictures, weights, device)
        # the library reads and writes the files' names by rules of its own
        self.trained = {"text_model.model.": self._model.model.text_model, "text_model.lm_head.": self._model.lm_head}
        self._weights, self._vq = weights, vq
        self._encoding = [values.get("vq_config"), read_json(processor)]
        self._codes = torch.tensor([codes[id] for id in ids], device=device)  # the VQ model's, in the order of the ids
        self._rows = slice(ids.start, ids.stop)
        table = self._model.model.text_model.embed_tokens.weight[self._rows]
        denoising = read_denoising(values, folder, table)
        self.embeddings, self.timestep = denoising.embeddings, denoising.timestep
        self.cache = cache_shape(text, len(layout))
        self.sizes = Sizes(SIZE, stride)
        self.card = {
            "family": "emu3",
            "name": values.get("name", names_of(folder)[0]),
            "hash": hash_files(paths, f"{height}x{width}{quantize or ''}"),
            "vocabulary": text.vocab_size,
            "image": {"first": ids.start, "count": len(ids)},
            "grid": {"rows": rows, "columns": columns},
            "picture": {"height": height, "width": width},
            "width": text.hidden_size,
            "layout": layout,
            "denoising": denoising.said,
            "prompt": {"template": self._whole(PROMPT), "unconditional": self._whole(NEGATIVE)},
            "sampling": SAMPLING,
        }

    def tokenize(self, prompt: str) -> TokenizedPrompt:
        return tokenize(self._tokenizer, self.card["prompt"], prompt)

    def embed(self, ids: Tensor) -> Tensor:
        return self._model.model.text_model.embed_tokens(ids)

    def forward(self, entries: Entries, attend: Attend) -> Tensor:
        hidden = hidden_states(self._model.model.text_model, entries, attend)
        return F.linear(hidden, self._model.lm_head.weight[self._rows])

    def decode(self, codes: Tensor) -> Tensor:
        pictures = self.pictures.decode(self._codes[codes].view(-1, *self._grid))
        pictures = pictures.permute(0, 2, 3, 1) * self._deviation + self._mean
        return pictures * 255  # the original cuts off, too

    def codebook(self) -> Tensor:
        return self.pictures.quantize.embedding.weight[self._codes]

    def encoder(self) -> Encode:
        with Blank():
            whole: Any = Emu3VQVAE(self._vq)
        read_vq(whole, self._weights, self._codes.device)
        numbers, sizes = self._codes.argsort(), self.card["picture"]

        def encode(pictures: Tensor) -> Tensor:
            normalised = ((pictures.float() / 255 - self._mean) / self._deviation).permute(0, 3, 1, 2)
            image_sizes = torch.tensor([[sizes["height"], sizes["width"]]] * len(pictures))
            codes = whole.encode(normalised, image_sizes).image_tokens
            return numbers[torch.stack(codes).flatten(1)]

        return encode

    def encoder_hash(self) -> str:
        return hash_part(self._weights, "vqmodel.", [*self._encoding, self._codes.tolist()])

    def _whole(self, text: str) -> str:
        rows, columns = self._grid
        return f"{BEGIN}{text}{START}{rows}*{columns}{IMAGE}"


load = Emu3Adapter
parts = partial(standard_parts, names=[NORMALISATION])


def _normalisation(path: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation [3] of the pictures that the VQ model was trained on."""
    values = read_json(path)
    try:
        mean, deviation = (torch.tensor(values[name], device=device).float() for name in ("image_mean", "image_std"))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        message = f"{path}: image_mean and image_std should be three numbers each."
        raise StartupError("wrong-config", message, "Restore the file.") from error
    return mean, deviation
