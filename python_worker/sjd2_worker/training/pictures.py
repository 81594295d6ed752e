"""Pictures as their files hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..errors import StartupError


def read_picture(path: Path, size: tuple[int, int]) -> Tensor:
    """uint8 [height, width, 3], cut about its middle to `size`, (width, height). Raises `missing-checkpoint`."""
    try:
        with Image.open(path) as picture:
            fitted = ImageOps.fit(picture.convert("RGB"), size, Image.Resampling.LANCZOS)
    except (OSError, UnidentifiedImageError) as error:
        raise StartupError("missing-checkpoint", f"{path} cannot be read: {error}.", "Restore or remove it.") from error
    return torch.from_numpy(np.array(fitted))
