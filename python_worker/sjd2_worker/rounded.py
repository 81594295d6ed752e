"""Checkpoints whose weights were rounded to 8 or 4 bits before they were saved: refused.

Such weights are integers or 8-bit floats, and mean something only together with scales in tensors of their own. Read as
plain weights they would load without an error, and every picture would be noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import StartupError

_PLAIN = {"F64", "F32", "F16", "BF16"}  # dtypes of safetensors whose values are the weights themselves
_REMEDY = "Use the checkpoint that it was made from, in bf16, f16 or f32; --quantize rounds that one as it is loaded."


def refuse_rounding_config(config: Mapping[str, Any], path: Path) -> None:
    """Raises `wrong-config` where a config.json says that its weights are quantized."""
    for part in (config, config.get("text_config")):
        said = part.get("quantization_config") if isinstance(part, dict) else None
        if said:
            method = said.get("quant_method", "an unknown method") if isinstance(said, dict) else said
            raise StartupError("wrong-config", f"{path}: the weights are quantized already ({method}).", _REMEDY)


def refuse_rounded(path: Path, header: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises `wrong-config` where a safetensors file, by its header, holds weights that are not plain floats."""
    for name, tensor in header.items():
        if name.endswith(".weight") and tensor["dtype"] not in _PLAIN:
            message = f"{path}: the weights are quantized already ({name} is {tensor['dtype']})."
            raise StartupError("wrong-config", message, _REMEDY)
