"""Pictures for training are read as a viewer would show them, or refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sjd2_worker.errors import StartupError
from sjd2_worker.training.pictures import MOST_PIXELS, UnreadableError, check_picture, read_colour, read_picture

RED, BLUE = (255, 0, 0), (0, 0, 255)


def read(path: Path, background: str = "#ffffff") -> np.ndarray:
    """8 x 8 pixels."""
    return read_picture(path, (8, 8), background).numpy()


def red_over_blue(side: int = 64) -> Image.Image:
    picture = Image.new("RGB", (side, side), RED)
    picture.paste(BLUE, (0, side // 2, side, side))
    return picture


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [(1, None), (3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_upright(tmp_path: Path, format: str, orientation: int, stored: Image.Transpose | None) -> None:
    """As phones store it: turned, with a tag that says how."""
    exif, picture = Image.Exif(), red_over_blue()
    exif[0x0112] = orientation
    (picture.transpose(stored) if stored is not None else picture).save(tmp_path / "a", format, exif=exif)
    pixels = read(tmp_path / "a").astype(int)
    assert np.abs(pixels[:3] - RED).max() < 60
    assert np.abs(pixels[5:] - BLUE).max() < 60


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_what_is_transparent_lies_on_a_colour(tmp_path: Path, mode: str) -> None:
    """Whatever colour hides below: by an alpha channel, one palette entry, or one colour that is called transparent."""
    whole = np.zeros((16, 16, 4), np.uint8)
    whole[:, 8:] = (0, 0, 0, 255)
    picture = Image.fromarray(whole)
    if mode == "P":
        palette = Image.new("P", (16, 16), 0)
        palette.putpalette([10, 20, 30, 0, 0, 0])
        palette.paste(1, (8, 0, 16, 16))
        palette.save(tmp_path / "a.png", transparency=0)
    elif mode == "RGB":
        colours = Image.new("RGB", (16, 16), (1, 2, 3))
        colours.paste((0, 0, 0), (8, 0, 16, 16))
        colours.save(tmp_path / "a.png", transparency=(1, 2, 3))
    else:
        picture.convert(mode).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png", "#00ff00")
    assert (pixels[:, 0] == (0, 255, 0)).all()
    assert (pixels[:, 7] == 0).all()
    assert check_picture((tmp_path / "a.png").read_bytes(), "#00ff00")
    picture.convert("RGB").save(tmp_path / "b.png")
    assert not check_picture((tmp_path / "b.png").read_bytes(), "#00ff00")


def test_half_transparent_is_mixed(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 0, 128)).save(tmp_path / "a.png")
    assert np.abs(read(tmp_path / "a.png", "#0000ff").astype(int) - (128, 0, 127)).max() <= 1


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_16_bits(tmp_path: Path, kind: str) -> None:
    """Grey from black to white."""
    values = np.linspace(0, 65535, 8).astype(np.uint16)
    Image.fromarray(np.repeat(values[None], 8, 0)).save(tmp_path / f"a.{kind}")
    wanted = np.rint(values / 257)
    assert np.abs(read(tmp_path / f"a.{kind}") - wanted[None, :, None]).max() <= 1


def test_16_bits_with_a_transparent_grey(tmp_path: Path) -> None:
    values = np.full((8, 8), 65535, np.uint16)
    values[:, 4:] = 1000
    Image.fromarray(values).save(tmp_path / "a.png", transparency=1000)
    pixels = read(tmp_path / "a.png", "#ff0000")
    assert (pixels[:, 5:] == RED).all()
    assert (pixels[:, :3] == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    """A palette is looked up, ink is turned to light."""
    picture = Image.new("RGB", (16, 16), (255, 255, 255) if mode in "1L" else RED)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    picture.convert(mode).save(path)
    assert np.abs(read(path).astype(int) - ((255, 255, 255) if mode in "1L" else RED)).max() <= 3


def test_the_first_frame(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), BLUE)
    for name in ("a.gif", "a.png", "a.webp", "a.tif"):
        first.save(tmp_path / name, save_all=True, append_images=[second], lossless=True)  # of them, WebP may lose
        assert (read(tmp_path / name) == RED).all(), name
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])  # as phones write two into one
    assert np.abs(read(tmp_path / "a.jpg").astype(int) - RED).max() < 5


def refused(data: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        check_picture(data, "#ffffff")
    return str(caught.value)


def test_damaged_ones_are_refused() -> None:
    """Also where only the last bytes are lost, which their headers do not show."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for format in ("PNG", "JPEG", "WEBP", "TIFF"):
        file = io.BytesIO()
        Image.fromarray(noise).save(file, format)
        check_picture(file.getvalue(), "#ffffff")
        assert refused(file.getvalue()[: len(file.getvalue()) * 3 // 4])
    assert "none of PNG, JPEG, WEBP, BMP, GIF, TIFF" in refused(b"none")
    assert "none of" in refused(b"")


def test_other_formats_are_not_opened() -> None:
    """PostScript least of all, for which Pillow starts Ghostscript."""
    for format in ("EPS", "PPM", "TGA", "ICO"):
        file = io.BytesIO()
        Image.new("RGB", (16, 16), RED).save(file, format)
        assert "none of PNG" in refused(file.getvalue()), format


def test_huge_ones_are_refused() -> None:
    """By what the header says: nothing is decoded, and Pillow does not warn."""
    file = io.BytesIO()
    Image.new("1", (20_000, MOST_PIXELS // 20_000 + 1)).save(file, "PNG")
    assert "it has 20000 x 5001 pixels, at most 100 million are read" in refused(file.getvalue())


def test_pixels_of_32_bits_are_refused() -> None:
    """Nobody knows which number is white."""
    for mode in ("I", "F"):
        file = io.BytesIO()
        Image.new(mode, (8, 8)).save(file, "TIFF")
        assert "numbers of 32 bits" in refused(file.getvalue())


def test_damage_anywhere_is_no_traceback() -> None:
    """Whatever of a dozen kinds Pillow raises, it is refused by name."""
    tags, kinds = Image.Exif(), set[str]()
    tags[0x0112] = 6
    for format in ("TIFF", "JPEG", "PNG", "WEBP", "GIF", "BMP"):
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, format, **({"exif": tags} if format in ("JPEG", "PNG", "WEBP") else {}))
        data = file.getvalue()
        for at in range(4, min(len(data), 200), 3):
            try:
                check_picture(data[:at] + b"\xff\xff" + data[at + 2 :], "#ffffff")
            except UnreadableError as error:
                kinds.add(str(error.__cause__.__class__.__name__))
    assert len(kinds) > 2


def test_colours() -> None:
    assert (read_colour("white"), read_colour("#F00"), read_colour("rgb(1, 2, 3)")) == ("#ffffff", "#ff0000", "#010203")
    for wrong in ("whit", "", "#ff00ff80"):
        with pytest.raises(StartupError, match="is no opaque colour"):
            read_colour(wrong)
