"""Pictures as a viewer would show them, in 8-bit RGB."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..errors import StartupError, ran_out_of_memory

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # read by Pillow itself, no other program is started
MOST_PIXELS = 100_000_000
READING = 1  # counts up when pictures are read otherwise, so that shards are made anew

Image.MAX_IMAGE_PIXELS = None  # MOST_PIXELS says it, by name and without a warning


class UnreadableError(Exception):
    """Why a picture cannot be used."""


def read_colour(text: str) -> str:
    """A colour's name, or #rrggbb, as #rrggbb. Raises `wrong-config`."""
    try:
        red, green, blue, *opacity = ImageColor.getrgb(text)
        if opacity:
            raise ValueError
    except ValueError as error:
        remedy = "Give --background a name as white, or #rrggbb."
        raise StartupError("wrong-config", f"{text!r} is no opaque colour.", remedy) from error
    return f"#{red:02x}{green:02x}{blue:02x}"


def check_picture(data: bytes, background: str) -> bool:
    """Reads a picture's file whole, in less detail where that is faster. Returns whether it is transparent somewhere.

    Raises `UnreadableError`.
    """
    return _read(data, background, coarse=True)[1]


def read_picture(path: Path, size: tuple[int, int], background: str) -> Tensor:
    """uint8 [height, width, 3], cut about its middle to `size`, (width, height). Raises `missing-checkpoint`."""
    try:
        picture, _ = _read(path.read_bytes(), background)
        return torch.from_numpy(np.array(ImageOps.fit(picture, size, Image.Resampling.LANCZOS)))
    except (OSError, UnreadableError) as error:
        remedy = "Restore or remove it; it could be read a moment ago."
        raise StartupError("missing-checkpoint", f"{path} cannot be read: {error}.", remedy) from error


def _read(data: bytes, background: str, coarse: bool = False) -> tuple[Image.Image, bool]:
    """The first frame, upright, on `background`; and whether that shows through."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                most = f"{MOST_PIXELS // 1_000_000} million are read"
                raise UnreadableError(f"it has {width} x {height} pixels, at most {most}: scale it down")
            if coarse:
                picture.draft("RGB", (1, 1))  # a JPEG's coefficients are all read, an eighth of its pixels is made
            of_16 = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")
            return _opaque(_in_8_bits(ImageOps.exif_transpose(picture), of_16), background)
    except UnidentifiedImageError:
        raise UnreadableError(f"it is none of {', '.join(FORMATS)}, or damaged") from None
    except UnreadableError:
        raise
    except Exception as error:  # Pillow raises a dozen kinds for damaged files
        if ran_out_of_memory(error):
            raise
        raise UnreadableError(f"it cannot be read: {error}") from error


def _in_8_bits(picture: Image.Image, of_16: bool) -> Image.Image:
    """Greys of 16 bits, which Pillow would cut off at 255, scaled; all else as it is."""
    clear = picture.info.get("transparency")
    if of_16:
        values = np.array(picture).astype(np.uint32)
        grey = Image.fromarray(((values + 128) // 257).astype(np.uint8))
        if isinstance(clear, int):
            grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
        return grey
    if picture.mode in ("I", "F"):
        raise UnreadableError("its pixels are numbers of 32 bits, of which no white is known: save it in 8 or 16")
    if isinstance(clear, tuple) and max(clear) > 255:
        raise UnreadableError("it has colours of 16 bits, one of them transparent: save it with an alpha channel")
    return picture


def _opaque(picture: Image.Image, background: str) -> tuple[Image.Image, bool]:
    if not picture.has_transparency_data:
        return picture.convert("RGB"), False
    picture = picture.convert("RGBA")
    below = Image.new("RGBA", picture.size, background)
    lowest, _ = picture.getchannel("A").getextrema()
    return Image.alpha_composite(below, picture).convert("RGB"), lowest != 255
