"""How a model that is large for a device is loaded: weights of 8 or 4 bits, layers on several GPUs.

The libraries do it: torchao and bitsandbytes round weights as they are read, accelerate hands entries from one GPU to
the next. Only the decoder's layers are meant; whatever else a model has stays as it is, and on the first GPU.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from ..errors import StartupError

# by what rounds them; both round weights alone, so that entries of one pass do not change one another's results
LIBRARIES = {"int8": "torchao", "nf4": "bitsandbytes"}


def rounded(quantize: str, dtype: torch.dtype, layers: str) -> Any:
    """The library's way to round the linear layers within the module `layers`. Raises `missing-library`."""
    library = LIBRARIES[quantize]
    if find_spec(library) is None:
        remedy = f'pip install {library}, or pip install -e "python_worker[quantize]" for both kinds.'
        raise StartupError("missing-library", f"Weights of {quantize} need {library}, which this Python lacks.", remedy)
    elsewhere = [rf"(?!{re.escape(layers)}\.).*"]
    if quantize == "nf4":  # QLoRA's, arXiv 2305.14314
        from transformers import BitsAndBytesConfig

        return BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, llm_int8_skip_modules=elsewhere
        )
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    return TorchAoConfig(Int8WeightOnlyConfig(), modules_to_not_convert=elsewhere)


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
