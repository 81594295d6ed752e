"""At which sizes Lumina-mGPT's checkpoints were trained (arXiv 2408.02657), and what a user should know of another one.

config.json does not say it; the published names do: Lumina-mGPT-7B-512, -768, -1024. Each was trained on pictures of
many proportions whose area is about that of its square: see `generate_crop_size_list` in its item_processor.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from ..errors import StartupError
from .library import special_ids

TRAINED = (512, 768, 1024)  # sides of the squares, in pixels
DEFAULT = 768  # the paper's main one
LONGEST = 4.0  # a picture's longer side by its shorter one


def named_side(names: Sequence[str]) -> int | None:
    """The one that the names of a checkpoint say; None where they say none, or several."""
    sides = {int(side) for name in names for side in re.findall(r"(?<!\d)(?:512|768|1024)(?!\d)", name)}
    return sides.pop() if len(sides) == 1 else None


def was_trained(height: int, width: int, side: int, unit: int) -> bool:
    """Whether the checkpoint of `side` saw such pictures: no wider and higher one, in steps of `unit`, has its area."""
    rows, columns, area = height // unit, width // unit, (side // unit) ** 2
    fits = rows * columns <= area < (rows + 1) * (columns + 1)
    return fits and max(rows, columns) <= LONGEST * min(rows, columns)


def size_ids(tokenizer: Tokenizer, patches: Sequence[int], size: Sequence[int], path: Path) -> list[int]:
    """The ids that say an image's height and width in patches. `size`: the same in pixels; `path`: the tokenizer's.

    Raises `wrong-config` where the tokenizer has no token for one.
    """
    names = [f"<reserved{8800 + count:05d}>" for count in patches]
    for name, side in zip(names, size, strict=True):
        if tokenizer.token_to_id(name) is None:
            message = f"The model has no token for a side of {side} pixels: {path} has no {name}."
            raise StartupError("wrong-config", message, "Choose another --size, at which it was trained.")
    return special_ids(tokenizer, names, path)


def size_warnings(name: str, named: int | None, asked: tuple[int, int] | None, unit: int) -> list[str]:
    """`name`: the checkpoint's; `named`: the side that it says; `asked`: height and width by the user's --size."""
    if asked is None:
        others = ", ".join(str(side) for side in TRAINED if side != DEFAULT)
        message = f"Neither the name of {name} nor its config.json says at which size it was trained: pictures of "
        message += f"{DEFAULT}x{DEFAULT} are drawn. If it was another one ({others}), say so by --size."
        return [] if named else [message]
    sides = (named,) if named else TRAINED
    if any(was_trained(*asked, side, unit) for side in sides):
        return []
    whose = f"{name}, by its name," if named else "Every checkpoint of Lumina-mGPT"
    message = f"{whose} was trained at {' or '.join(map(str, sides))} pixels, or other proportions of that area up to "
    message += f"1:{LONGEST:.0f}; pictures of {asked[0]}x{asked[1]} may be poor. Choose another --size."
    return [message]
