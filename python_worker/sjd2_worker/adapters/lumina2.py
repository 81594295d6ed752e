"""Lumina-mGPT 2.0 (arXiv 2507.17801): Chameleon's transformer trained anew, over MoVQGAN's codes of 8 pixels.

Prompts, layout and recommended sampling are those of the published inference code. Its guidance falls while a picture
is drawn, but never below 4, which is also what its authors recommend: at 4, it stays. Here it stays at any value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F
from transformers import ChameleonConfig

from ..checkpoint import check_weights, existing, hash_files, hash_part, names_of, read_config, read_json
from ..errors import StartupError
from ..models.vqgan_shapes import read_vqgan_config
from .base import Adapter, Attend, Encode, Entries, Parts, Sizes, TokenizedPrompt, pixels
from .chameleon_norms import GroupedChameleon, norm_groups
from .chameleon_pictures import WITHIN
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
from .lumina_sizes import size_ids, was_trained
from .movq_pictures import find_movq, load_movq, load_movq_encoder

FIRST = 155_000  # the id of code 0
SEPARATOR = "<reserved08706>"  # between the prompt and the image; plain text where the tokenizer does not have it
START, END, NEW_LINE = "<racm3:break>", "<eoss>", "<reserved08799>"
PROMPT = "Generate an image of {}x{} according to the following prompt:\n{{prompt}}"  # width, height
SAMPLING = {"guidance": 4.0, "temperature": 1.0, "topK": 4096, "topP": 1.0}
TRAINED = 768  # pixels of its squares; other proportions have about their area
PATCH = 4  # codes along each side of what size tokens count


class Lumina2Adapter(Adapter):
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
        config: Any = read_library_config(ChameleonConfig, folder)
        pictures = find_movq(folder)
        vq = read_vqgan_config(pictures)
        ids = range(FIRST, FIRST + vq.num_embeddings)
        if config.vocab_size < ids.stop:
            message = f"{path}: vocab_size is {config.vocab_size}; {len(ids)} codes from {FIRST} on need {ids.stop}."
            raise StartupError("wrong-config", message, "Use the files of one and the same checkpoint.")
        height, width = size or (TRAINED, TRAINED)
        stride = 2 ** (len(vq.channel_multiplier) - 1)
        unit = PATCH * stride
        if height % unit or width % unit:
            message = f"{path} is of a model whose pictures' sides are multiples of {unit} pixels, "
            raise StartupError("wrong-config", f"{message}not {height} and {width}.", "Choose another --size.")
        name = values.get("name", names_of(folder)[0])
        if not was_trained(height, width, TRAINED, unit):
            message = f"{name} was trained at {TRAINED} pixels, or other proportions of that area up to 1:4; "
            self.warnings = [f"{message}pictures of {height}x{width} may be poor. Choose another --size."]
        self.sizes = Sizes((TRAINED, TRAINED), unit)
        self._grid = rows, columns = height // stride, width // stride
        self._tokenizer = read_tokenizer(folder, config.vocab_size)
        layout = _layout(self._tokenizer, self._grid, (height, width), folder / "tokenizer.json")
        check_length(config, layout, path)
        template = _begin(folder) + PROMPT.format(width, height) + SEPARATOR + START

        config.norm_groups = norm_groups(config, check_weights(folder))
        weights = check_model(GroupedChameleon, config, folder, spare=WITHIN)
        paths = [path, *weights, pictures, *check_denoising(values, folder)]
        self._model = load_model(
            GroupedChameleon, config, folder, device, dtype, quantize=quantize, gpus=gpus, attn_implementation=SLOTS
        )
        del self._model.model.vqmodel  # Chameleon's own
        self.trained = {"": self._model}
        self._vq, self._pictures_at, self._device = vq, pictures, device
        self.pictures = load_movq(vq, pictures, device)
        self._rows = slice(ids.start, ids.stop)
        denoising = read_denoising(values, folder, self._model.model.embed_tokens.weight[self._rows])
        self.embeddings, self.timestep = denoising.embeddings, denoising.timestep
        self.cache = cache_shape(config, len(layout))
        self.card = {
            "family": "lumina2",
            "name": name,
            "hash": hash_files(paths, f"{height}x{width}{quantize or ''}"),
            "vocabulary": config.vocab_size,
            "image": {"first": ids.start, "count": len(ids)},
            "grid": {"rows": rows, "columns": columns},
            "picture": {"height": height, "width": width},
            "width": config.hidden_size,
            "layout": layout,
            "denoising": denoising.said,
            "prompt": {"template": template, "unconditional": START},
            "sampling": SAMPLING,
        }

    def tokenize(self, prompt: str) -> TokenizedPrompt:
        return tokenize(self._tokenizer, self.card["prompt"], prompt)

    def embed(self, ids: Tensor) -> Tensor:
        return self._model.model.embed_tokens(ids)

    def forward(self, entries: Entries, attend: Attend) -> Tensor:
        return F.linear(hidden_states(self._model.model, entries, attend), self._model.lm_head.weight[self._rows])

    def decode(self, codes: Tensor) -> Tensor:
        pictures = self.pictures(codes.view(-1, *self._grid)).permute(0, 2, 3, 1)
        return ((pictures + 1) * 127.5).round()

    def codebook(self) -> Tensor:
        return self.pictures.quantize["embedding"].weight

    def encoder(self) -> Encode:
        network = load_movq_encoder(self._vq, self._pictures_at, self._device)
        return lambda pictures: network.encode(pixels(pictures)).image_tokens.view(len(pictures), -1)

    def encoder_hash(self) -> str:
        return hash_part([self._pictures_at], "", None)


load = Lumina2Adapter


def parts(folder: Path) -> Parts:
    """See base.py."""
    return *standard_parts(folder), lambda: find_movq(folder)


def _layout(tokenizer: Tokenizer, grid: tuple[int, int], size: tuple[int, int], path: Path) -> list[int]:
    """What follows the start of an image: its size, rows that end with a new line each, the end."""
    new_line, end, _ = special_ids(tokenizer, [NEW_LINE, END, START], path)
    height, width = size_ids(tokenizer, [side // PATCH for side in grid], size, path)
    return [height, width, *([-1] * grid[1] + [new_line]) * grid[0], end]


def _begin(folder: Path) -> str:
    """The token that prompts begin with: the tokenizer's bos_token or, where it has none, its eos_token.

    Raises `missing-checkpoint` or `wrong-config`.
    """
    path = existing(folder / "tokenizer_config.json")
    values = read_json(path)
    token = values.get("bos_token") or values.get("eos_token")
    text = token.get("content") if isinstance(token, dict) else token
    if not isinstance(text, str):
        message = f"{path} names neither a bos_token nor an eos_token, which prompts of this family begin with."
        raise StartupError("wrong-config", message, "Restore the file of the same checkpoint.")
    return text
