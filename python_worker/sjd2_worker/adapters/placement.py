"""How a model that is large for a device is loaded: weights of 8 or 4 bits, layers on several GPUs.

The libraries do it: bitsandbytes rounds weights as they are read, accelerate hands entries from one GPU to the next.
Only the decoder's layers are meant; whatever else a model has stays as it is, and on the first GPU.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import StartupError, install

LIBRARY = "bitsandbytes"
_BLOCK = 64  # weights that have a scale of their own, with nf4


def rounded(quantize: str, dtype: torch.dtype, layers: str) -> Any:
    """The library's way to round the linear layers within the module `layers`. Raises `missing-library`.

    `int8` is LLM.int8() (arXiv 2208.07339), `nf4` QLoRA's (arXiv 2305.14314). The first rounds what it multiplies with,
    too, but keeps no outliers apart: by which entries are in a pass, that would change what becomes of each.
    """
    if find_spec(LIBRARY) is None:
        message = f"Weights of {quantize} need {LIBRARY}, which this Python lacks."
        raise StartupError("missing-library", message, f"{install('quantize')}   (or leave --quantize out)")
    from transformers import BitsAndBytesConfig

    logging.getLogger(LIBRARY).setLevel(logging.ERROR)  # it says for each layer in which precision it multiplies
    elsewhere = [rf"(?!{re.escape(layers)}\.).*"]
    if quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=0.0, llm_int8_skip_modules=elsewhere)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, llm_int8_skip_modules=elsewhere
    )


def rounded_bytes(weight: Tensor, quantize: str) -> int:
    """What the library holds in a matrix's stead: 8 bits and a scale to a row; or 4 bits, scales, and a table of 16."""
    if quantize == "int8":
        return weight.numel() + 4 * len(weight)
    return -(-weight.numel() // 2) + 4 * -(-weight.numel() // _BLOCK) + 4 * 16


def round_blank(model: nn.Module, quantize: str, layers: str) -> None:
    """Replaces the weights that would be rounded, of a model on the meta device, by as many bytes as would be held."""
    for layer in model.get_submodule(layers).modules():
        if isinstance(layer, nn.Linear):
            held = torch.empty(rounded_bytes(layer.weight, quantize), dtype=torch.uint8, device="meta")
            layer.weight = nn.Parameter(held, requires_grad=False)


def available(gpus: int) -> dict[int, int]:
    """Free bytes of the first GPUs. Raises `wrong-torch` where there are fewer."""
    if gpus > torch.cuda.device_count():
        message = f"torch {torch.__version__} finds {torch.cuda.device_count()} CUDA devices, not {gpus}."
        raise StartupError("wrong-torch", message, "Choose fewer --gpus.")
    return {gpu: torch.cuda.mem_get_info(gpu)[0] for gpu in range(gpus)}


def spread(model: nn.Module, layers: str, memory: Mapping[int, int], dtype: torch.dtype) -> dict[str, int]:
    """The GPU of each part of `model`, whose tensors need not have contents: a map as transformers takes it.

    Raises `out-of-memory` where the layers do not fit.
    """
    from accelerate import infer_auto_device_map
    from accelerate.utils import get_balanced_memory

    blocks: Any = model.get_submodule(layers)
    whole = [type(blocks[0]).__name__]
    shares = get_balanced_memory(blocks, dict(memory), no_split_module_classes=whole, dtype=dtype)
    placed = infer_auto_device_map(blocks, {**shares, "cpu": 0}, no_split_module_classes=whole, dtype=dtype)
    if not placed or not all(isinstance(place, int) for place in placed.values()):
        message = f"The layers of the model do not fit into the memory of {len(memory)} GPUs."
        raise StartupError("out-of-memory", message, "Choose more --gpus, a smaller --dtype, or --quantize.")
    parts = {f"{layers}.{name}" if name else layers: place for name, place in placed.items()}
    path, here = "", model
    for step in layers.split("."):  # what lies beside the way to the layers
        parts |= {path + name: 0 for name, _ in here.named_children() if name != step}
        path, here = f"{path}{step}.", here.get_submodule(step)
    return parts
