"""Features of captions: given in a file, or computed by a T5 encoder. LlamaGen's text-conditional models read them."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import T5Config, T5EncoderModel

from ..checkpoint import existing, read_header
from ..errors import RequestError, StartupError
from .library import check_model, load_model, read_library_config, read_tokenizer

FILE = "features.safetensors"

# What the captions that LlamaGen learned from were cleaned of, in order. Scraps of web pages (addresses, file names,
# serial numbers), which were removed too, are nothing that a prompt has.
CLEANING = (
    (re.compile(r"[\u2010-\u2015\u2212]"), "-"),
    (re.compile(r"[`\u00b4«»\u201c\u201d\u00a8]"), '"'),
    (re.compile(r"[\u2018\u2019]"), "'"),
    (re.compile(r"[#®•©™&@·º½¾¿¡§~()\[\]{}|\\/*]+"), " "),
    (re.compile(r"\s+"), " "),
)


class Captions:
    """At most `length` features of `width` values for a caption: from the folder's file, else by the encoder."""

    def __init__(
        self, folder: Path, encoder: Path | None, length: int, width: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._length, self._device, self._dtype = length, device, dtype
        self._file = folder / FILE if (folder / FILE).is_file() else None
        self._given = _check_given(self._file, length, width) if self._file else set()
        self.paths: list[Path] = []  # of the encoder
        if encoder is None:
            if self._file is None:
                message = f"{folder} reads captions as features of a T5 encoder, and has neither it nor {FILE}."
                remedy = 'Name the encoder\'s folder as "t5" in config.json, or write the features of your captions.'
                raise StartupError("missing-checkpoint", message, remedy)
            return
        config = read_library_config(T5Config, encoder)
        if config.d_model != width:
            message = f"{encoder / 'config.json'}: d_model is {config.d_model} and should be {width}."
            raise StartupError("wrong-config", message, "Use the T5 encoder that the model was trained with.")
        self.paths = [existing(encoder / "config.json"), *check_model(T5EncoderModel, config, encoder)]
        self._tokenizer = read_tokenizer(encoder, config.vocab_size)
        self._tokenizer.enable_truncation(length)
        self._tokenizer.no_padding()
        self._encoder = load_model(T5EncoderModel, config, encoder, device, dtype)

    def features(self, caption: str) -> Tensor:
        """[tokens, width], at least one. Raises `bad-prompt` where there is no encoder and no such caption."""
        if caption in self._given:
            with safe_open(str(self._file), "pt") as file:
                return file.get_tensor(caption).to(self._device, self._dtype)
        if not self.paths:
            message = f"{self._file} has no features of the caption {caption!r}, and there is no encoder."
            remedy = f"Use one of its {len(self._given)} captions, or add this one's features to the file."
            raise RequestError("bad-prompt", message, remedy)
        ids = self._tokenizer.encode(cleaned(caption)).ids
        return self._encoder(input_ids=torch.tensor([ids], device=self._device)).last_hidden_state[0]


def cleaned(caption: str) -> str:
    """A caption as the model learned to read it."""
    caption = caption.lower()
    for pattern, replacement in CLEANING:
        caption = pattern.sub(replacement, caption)
    return caption.strip()


def _check_given(path: Path, length: int, width: int) -> set[str]:
    """The captions of the file, none of it read. Raises `corrupt-checkpoint` or `wrong-config`."""
    header = read_header(path)
    for caption, tensor in header.items():
        shape = tensor["shape"]
        if len(shape) != 2 or not 1 <= shape[0] <= length or shape[1] != width:
            message = f"{path}: the features of {caption!r} are {shape} and should be [1 … {length}, {width}]."
            raise StartupError("wrong-config", message, "Write them anew: one row per token, without padding.")
    return set(header)
