"""Shards: safetensors files of codes, with their captions and what they were made of."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..adapters.base import Adapter
from ..errors import StartupError

_NAME = re.compile(r"shard-\d{5,}\.safetensors")


@dataclass(frozen=True)
class Shard:
    codes: Tensor  # [count, tokens], counted from 0
    captions: Sequence[str]
    of: Mapping[str, Any]  # what codes must agree in with a model: `kind_of` it
    pictures: Sequence[str] = ()  # the SHA-256 of each picture's file
    settings: Mapping[str, Any] = field(default_factory=dict)  # how they were read


def kind_of(adapter: Adapter) -> dict[str, Any]:
    """What codes must agree in with a model."""
    card = adapter.card
    return {
        "family": card["family"], "codes": card["image"]["count"], "grid": card["grid"],
        "encoder": adapter.encoder_hash()[:16],
    }  # fmt: skip


def shard_name(number: int) -> str:
    return f"shard-{number:05d}.safetensors"


def find_shards(path: Path) -> list[Path]:
    """The shards in a folder, in order, or the one file. Empty where there is none."""
    if path.is_file():
        return [path]
    return sorted(found for found in path.glob("shard-*.safetensors") if _NAME.fullmatch(found.name))


def write_shard(path: Path, shard: Shard) -> None:
    """Whole or not at all."""
    from safetensors.torch import save_file

    said = {"captions": shard.captions, "of": shard.of, "pictures": shard.pictures, "settings": shard.settings}
    part = path.with_suffix(f".{os.getpid()}.part")  # processes that train together write the same shards
    metadata = {name: json.dumps(value) for name, value in said.items()}
    save_file({"codes": shard.codes.to(torch.int32).contiguous()}, part, metadata=metadata)
    part.replace(path)


def read_shard(path: Path) -> Shard:
    """Raises `corrupt-checkpoint` where it is no whole shard."""
    try:
        with safe_open(path, "pt") as file:
            said, codes = file.metadata() or {}, file.get_tensor("codes")
        values = {name: json.loads(said[name]) for name in ("captions", "of", "pictures", "settings") if name in said}
        shard = Shard(codes, values.pop("captions"), values.pop("of"), **values)
        if len(shard.captions) != len(codes) or len(shard.pictures) not in (0, len(codes)):
            raise ValueError(f"{len(codes)} codes of {len(shard.captions)} captions")
        return shard
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        message = f"{path} is no whole shard: {type(error).__name__}: {error}."
        raise StartupError("corrupt-checkpoint", message, "Delete it and make it again.") from error


def is_other(path: Path) -> bool:
    """Whether a file that is no whole shard is a whole file of something else."""
    try:
        with safe_open(path, "pt") as file:
            return "captions" not in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def check_shard(path: Path, shard: Shard, adapter: Adapter) -> None:
    """Raises `wrong-config` where its codes are none of this model's."""
    if (kind := kind_of(adapter)) != shard.of:
        message = f"{path} holds codes of {shard.of}; the model's are {kind}."
        raise StartupError("wrong-config", message, "Make shards with this model and --size: sjd2 shards.")
    check_codes(path, shard.codes, len(shard.captions), adapter)


def check_codes(path: Path, codes: Tensor, count: int, adapter: Adapter) -> None:
    """Raises `wrong-config` where they are no image codes of this model."""
    tokens, codebook = adapter.card["layout"].count(-1), adapter.card["image"]["count"]
    if list(codes.shape) != [count, tokens] or not count or not 0 <= int(codes.min()) <= int(codes.max()) < codebook:
        message = f"{path}: its codes are {list(codes.shape)} and should be [{count}, {tokens}], below {codebook}."
        raise StartupError("wrong-config", message, "Make it anew with this model.")
