"""Chameleon's family through transformers: Anole (arXiv 2407.06135), and Lumina-mGPT's use of it (2408.02657).

Prompts, layouts and recommended sampling are those of the published inference code of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F
from transformers import ChameleonConfig, ChameleonVQVAEConfig
from transformers.models.chameleon.modeling_chameleon import ChameleonImageVocabularyMapping

from ..checkpoint import check_weights, hash_files, hash_part, names_of, read_config
from ..errors import StartupError
from .base import Adapter, Attend, Encode, Entries, Parts, Sizes, TokenizedPrompt, pixels
from .chameleon_norms import GroupedChameleon, norm_groups
from .chameleon_pictures import WITHIN, find_pictures, load_encoder, load_pictures
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
    special_ids,
    standard_parts,
    tokenize,
)
from .lumina_sizes import DEFAULT, named_side, size_ids, size_warnings

BEGIN, SEPARATOR = "<s>", "<reserved08706>"
START, END, NEW_LINE = "<racm3:break>", "<eoss>", "<reserved08799>"
ANOLE = {"guidance": 3.0, "temperature": 0.7, "topK": 0, "topP": 0.9}
LUMINA = {"guidance": 3.0, "temperature": 1.0, "topK": 2000, "topP": 1.0}
LUMINA_PROMPT = "Generate an image of {}x{} according to the following prompt:\n{{prompt}}"  # width, height
PATCH = 2  # codes along each side of what Lumina-mGPT's size tokens count


class ChameleonAdapter(Adapter):
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
        config = read_library_config(ChameleonConfig, folder)
        vq = cast(ChameleonVQVAEConfig, config.vq_config)
        codes = ChameleonImageVocabularyMapping(config.vocabulary_map or {}).bpe2img
        ids = image_ids(codes, vq.num_embeddings, path)
        self._lumina = _is_lumina(values)
        named = named_side(names_of(folder)) if self._lumina else vq.resolution
        side = named or DEFAULT
        self._size = _size_of(vq, self._lumina, size or (side, side), path)
        stride = 2 ** (len(vq.channel_multiplier) - 1)
        if self._lumina:
            self.warnings = size_warnings(names_of(folder)[0], named, size, PATCH * stride)
            self.sizes = Sizes((named, named) if named else None, PATCH * stride)
        self._grid = rows, columns = self._size[0] // stride, self._size[1] // stride
        self._tokenizer = read_tokenizer(folder, config.vocab_size)
        layout = _layout(self._tokenizer, self._grid, self._size, self._lumina, folder / "tokenizer.json")
        check_length(config, layout, path)

        config.norm_groups = norm_groups(config, check_weights(folder))
        weights = check_model(GroupedChameleon, config, folder, spare=WITHIN)
        pictures, prefix = find_pictures(folder, weights)
        paths = [path, *dict.fromkeys((*weights, *pictures)), *check_denoising(values, folder)]
        self._model = load_model(
            GroupedChameleon, config, folder, device, dtype, quantize=quantize, gpus=gpus,
            attn_implementation=SLOTS,
        )  # fmt: skip
        del self._model.model.vqmodel  # it only encodes
        self.trained = {"": self._model}
        self._vq, self._pictures_at, self._vq_said = vq, (pictures, prefix), values.get("vq_config")
        self.pictures = load_pictures(vq, pictures, prefix, device)
        self._codes = torch.tensor([codes[id] for id in ids], device=device)  # the VQ model's, in the order of the ids
        self._rows = slice(ids.start, ids.stop)
        denoising = read_denoising(values, folder, self._model.model.embed_tokens.weight[self._rows])
        self.embeddings, self.timestep = denoising.embeddings, denoising.timestep
        self.cache = cache_shape(config, len(layout))
        self.card = {
            "family": "chameleon",
            "name": values.get("name", names_of(folder)[0]),
            "hash": hash_files(paths, "x".join(map(str, self._size)) + (quantize or "")),
            "vocabulary": config.vocab_size,
            "image": {"first": ids.start, "count": len(ids)},
            "grid": {"rows": rows, "columns": columns},
            "picture": {"height": self._size[0], "width": self._size[1]},
            "width": config.hidden_size,
            "layout": layout,
            "denoising": denoising.said,
            "prompt": self._prompt(),
            "sampling": LUMINA if self._lumina else ANOLE,
        }

    def tokenize(self, prompt: str) -> TokenizedPrompt:
        return tokenize(self._tokenizer, self.card["prompt"], prompt)

    def embed(self, ids: Tensor) -> Tensor:
        return self._model.model.embed_tokens(ids)

    def forward(self, entries: Entries, attend: Attend) -> Tensor:
        return F.linear(hidden_states(self._model.model, entries, attend), self._model.lm_head.weight[self._rows])

    def decode(self, codes: Tensor) -> Tensor:
        pictures = self.pictures(self._codes[codes].view(-1, *self._grid)).permute(0, 2, 3, 1)
        return (pictures + 1) / 2 * 255  # the original cuts off, too

    def codebook(self) -> Tensor:
        return self.pictures.quantize["embedding"].weight[self._codes]

    def encoder(self) -> Encode:
        network = load_encoder(self._vq, *self._pictures_at, self._codes.device)
        numbers = self._codes.argsort()
        return lambda pictures: numbers[network.encode(pixels(pictures)).image_tokens].view(len(pictures), -1)

    def encoder_hash(self) -> str:
        return hash_part(*self._pictures_at, [self._vq_said, self._codes.tolist()])

    def _prompt(self) -> dict[str, str]:
        """Lumina-mGPT's unconditional branch knows the image alone."""
        height, width = self._size
        text = LUMINA_PROMPT.format(width, height) if self._lumina else "{prompt}"
        unconditional = START if self._lumina else BEGIN + START
        return {"template": BEGIN + text + SEPARATOR + START, "unconditional": unconditional}


load = ChameleonAdapter


def parts(folder: Path) -> Parts:
    """See base.py."""
    return *standard_parts(folder), lambda: find_pictures(folder, check_weights(folder))


def _is_lumina(values: dict[str, Any]) -> bool:
    """Its training class, ChameleonXLLMX…, or the field that this class adds, which survives the library's own."""
    return "z_loss_weight" in values or "XLLMX" in "".join(values.get("architectures") or [])


def _size_of(vq: ChameleonVQVAEConfig, lumina: bool, chosen: tuple[int, int], path: Path) -> tuple[int, int]:
    """Height and width in pixels. Raises `wrong-config` where the model draws no such pictures."""
    unit = PATCH * 2 ** (len(vq.channel_multiplier) - 1)
    if lumina and any(side % unit for side in chosen):
        message = f"{path} is of a model whose pictures' sides are multiples of {unit} pixels, not {chosen}."
        raise StartupError("wrong-config", message, "Choose another --size: 512, 768 or 1024, as it was trained.")
    if not lumina and chosen != (vq.resolution, vq.resolution):
        message = f"{path} is of a model that draws {vq.resolution}x{vq.resolution} pixels only."
        raise StartupError("wrong-config", message, "Leave --size out.")
    return chosen


def _layout(tokenizer: Tokenizer, grid: tuple[int, int], size: tuple[int, int], lumina: bool, path: Path) -> list[int]:
    """What follows the start of an image: with Lumina-mGPT its size, and a new line after each row; then the end."""
    rows, columns = grid
    _, _, _, end = special_ids(tokenizer, [BEGIN, SEPARATOR, START, END], path)
    if not lumina:
        return [-1] * (rows * columns) + [end]
    (new_line,) = special_ids(tokenizer, [NEW_LINE], path)
    height, width = size_ids(tokenizer, [side // PATCH for side in grid], size, path)
    return [height, width, *([-1] * columns + [new_line]) * rows, end]
