"""Janus-Pro (arXiv 2501.17811) in transformers' layout: deepseek-community/Janus-Pro-1B and -7B.

Images have an embedding, an aligner and a head of their own beside the language model. What an image token feeds is the
aligner's output, so that is the embedding which noise and denoising work on. Its ids follow the text's.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import JanusConfig, JanusForConditionalGeneration

from ..checkpoint import existing, hash_files, read_config
from ..errors import StartupError
from .base import Adapter, Attend, Entries, TokenizedPrompt
from .denoising import check_denoising, read_denoising
from .library import (
    SLOTS,
    cache_shape,
    check_model,
    check_prompt,
    hidden_states,
    load_model,
    read_library_config,
    read_tokenizer,
)

PROMPT = "<|User|>: {prompt}\n\n<|Assistant|>:<begin_of_image>"
BEGIN, START, PADDING = "<｜begin▁of▁sentence｜>", "<begin_of_image>", "<｜▁pad▁｜>"
SAMPLING = {"guidance": 5.0, "temperature": 1.0, "topK": 0, "topP": 1.0}
# of the understanding of pictures and the writing of text, which drawing does not need
UNUSED = ("model.vision_model", "model.aligner", "lm_head")


class JanusAdapter(Adapter):
    """One checkpoint folder."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        values = read_config(folder)
        config = read_library_config(JanusConfig, folder)
        text, vq = config.text_config, config.vq_config
        weights = check_model(JanusForConditionalGeneration, config, folder)
        paths = [folder / "config.json", *weights, *check_denoising(values, folder)]
        self._tokenizer = read_tokenizer(folder, text.vocab_size)
        self._begin, self._start, self._padding = _special(self._tokenizer, folder)
