"""Features of captions: given in a file, or computed by a T5 encoder. LlamaGen's text-conditional models read them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from tokenizers import Encoding
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel

from ..checkpoint import existing, read_header
from ..errors import RequestError, StartupError, install
from .library import check_model, load_model, read_library_config, read_tokenizer

FILE = "features.safetensors"


class Captions(nn.Module):
    """At most `length` features of `width` values for a caption: from the folder's file, else by the encoder."""

    def __init__(
        self, folder: Path, encoder: Path | None, length: int, width: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self._device, self._dtype = device, dtype
        self._file = folder / FILE if (folder / FILE).is_file() else None
        self._given = _check_given(self._file, length, width) if self._file else {}
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
        self._cleaned = _cleaning()
        self._tokenizer = read_tokenizer(encoder, config.vocab_size)
        self._tokenizer.enable_truncation(length)
        self._tokenizer.no_padding()
        self._encoder = load_model(T5EncoderModel, config, encoder, device, dtype)

    def read(self, caption: str) -> tuple[int, list[str]]:
        """How many features it has, none where cleaning leaves nothing; and the words past the longest caption.

        Raises `bad-prompt` where there is no encoder and no such caption.
        """
        if caption in self._given:
            return self._given[caption], []
        if not self.paths:
            message = f"{self._file} has no features of the caption {caption!r}, and there is no encoder."
            remedy = f"Use one of its {len(self._given)} captions, or add this one's features to the file."
            raise RequestError("bad-prompt", message, remedy)
        text = self._cleaned(caption)
        read = self._tokenizer.encode(text)
        return len(read.ids) if text else 0, _cut(text, read)

    def forward(self, caption: str) -> Tensor:
        """The features of a caption that has some, [tokens, width]."""
        if caption in self._given:
            with safe_open(str(self._file), "pt") as file:
                return file.get_tensor(caption).to(self._device, self._dtype)
        ids = self._tokenizer.encode(self._cleaned(caption)).ids
        return self._encoder(input_ids=torch.tensor([ids], device=self._device)).last_hidden_state[0]


def _cut(text: str, read: Encoding) -> list[str]:
    """The words behind the tokenizer's limit; one that lies across it is named whole."""
    if not read.overflowing:
        return []
    end = max(end for _, end in read.offsets)
    if re.match(r"\w", text[end:]):
        end -= len(re.findall(r"\w*$", text[:end])[0])
    return text[end:].split()


def _cleaning() -> Callable[[str], str]:
    """Raises `missing-library`."""
    try:
        from .cleaning import cleaned
    except ImportError as error:
        message = f"Captions are cleaned by rules that need {error.name}; {sys.executable} lacks it."
        raise StartupError("missing-library", message, install("hf")) from error
    return cleaned


def _check_given(path: Path, length: int, width: int) -> dict[str, int]:
    """How many features the file has of each caption; none is read. Raises `corrupt-checkpoint` or `wrong-config`."""
    header = read_header(path)
    for caption, tensor in header.items():
        shape = tensor["shape"]
        if len(shape) != 2 or not 1 <= shape[0] <= length or shape[1] != width:
            message = f"{path}: the features of {caption!r} are {shape} and should be [1 … {length}, {width}]."
            raise StartupError("wrong-config", message, "Write them anew: one row per token, without padding.")
    return {caption: tensor["shape"][0] for caption, tensor in header.items()}
