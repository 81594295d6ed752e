"""An adapter of your own: any causal transformers model over text and image ids, by `--adapter examples/my_adapter.py`.

This one takes a Llama whose vocabulary is the 256 bytes of UTF-8, a begin-of-image id, and then one id for each colour
of a palette; it draws 8 x 8 pixels. Change what is yours: the ids, the layout, the prompt, the decoding of codes.
"""

import torch
from safetensors.torch import load_file
from torch.nn.functional import linear
from transformers import LlamaConfig, LlamaForCausalLM

from sjd2_worker.adapters.base import Adapter, Embeddings, TokenizedPrompt
from sjd2_worker.adapters.library import (
    SLOTS,
    cache_shape,
    check_model,
    hidden_states,
    load_model,
    read_library_config,
)
from sjd2_worker.checkpoint import existing, hash_files

BEGIN, FIRST, ROWS, COLUMNS = 256, 257, 8, 8


class MyAdapter(Adapter):
    def __init__(self, folder, device, dtype):
        config = read_library_config(LlamaConfig, folder)
        weights = check_model(LlamaForCausalLM, config, folder)  # reads names and shapes only
        palette = existing(folder / "palette.safetensors")
        # SLOTS lets the library's own layers attend over the worker's key/value slots
        self.model = load_model(LlamaForCausalLM, config, folder, device, dtype, attn_implementation=SLOTS)
        self.colours = load_file(palette, str(device))["colours"]  # u8 [count, 3]
        self.trained = {"": self.model}  # what `sjd2 finetune` may change
        self.rows = slice(FIRST, FIRST + len(self.colours))
        self.embeddings = Embeddings.measured(self.model.model.embed_tokens.weight[self.rows])
        self.cache = cache_shape(config, ROWS * COLUMNS)
        self.card = {
            "family": "mine",
            "name": folder.name,
            "hash": hash_files([folder / "config.json", *weights, palette]),
            "vocabulary": config.vocab_size,
            "image": {"first": FIRST, "count": len(self.colours)},
            "grid": {"rows": ROWS, "columns": COLUMNS},
            "picture": {"height": ROWS, "width": COLUMNS},
            "width": config.hidden_size,
            "layout": [-1] * (ROWS * COLUMNS),  # -1: a free code; else the id that is forced there
            "denoising": None,  # no noise was trained: sjd2 needs --init above, mc-sjd runs as it is
            "sampling": {"guidance": 3.0, "temperature": 1.0, "topK": 0, "topP": 1.0},
        }

    def tokenize(self, prompt):
        return TokenizedPrompt([*prompt.encode(), BEGIN], unconditional=[BEGIN], unknown=[])

    def embed(self, ids):  # int64 [N] -> [N, width]
        return self.model.model.embed_tokens(ids)

    def forward(self, entries, attend):  # -> logits over the image codes, [R, count], of the wanted entries
        return linear(hidden_states(self.model.model, entries, attend), self.model.lm_head.weight[self.rows])

    def decode(self, codes):  # int64 [B, ROWS * COLUMNS], counted from 0 -> f32 [B, height, width, 3] on 0 … 255
        return self.colours[codes].view(-1, ROWS, COLUMNS, 3).float()

    def codebook(self):  # -> [count, any width]: vectors by which the policy `lantern` says which codes look alike
        return self.colours

    def encoder(self):  # u8 [B, height, width, 3] -> int64 [B, ROWS * COLUMNS]: pictures as data for `sjd2 finetune`
        return lambda pictures: torch.cdist(pictures.flatten(1, 2).float(), self.colours.float()).argmin(-1)


def load(folder, device, dtype):
    return MyAdapter(folder, device, dtype)
