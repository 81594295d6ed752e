"""Folders of pictures and captions: what examples they hold, and what is wrong with how they say it."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import StartupError

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
LISTED = "captions.jsonl"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass
class Example:
    place: str  # the picture's name, or the line of captions.jsonl
    picture: Path  # Path() where a line says none
    caption: str
    faults: list[str] = field(default_factory=list)  # why it cannot be used


def holds_pictures(folder: Path) -> bool:
    """Whether a folder holds pictures with captions, whatever else lies there."""
    return (folder / LISTED).is_file() or any(path.with_suffix(".txt").is_file() for path in _pictures(folder))


def find_examples(folder: Path) -> list[Example]:
    """Pictures and their captions, in the order of captions.jsonl, or of the pictures' names.

    What is wrong with how one is said stands in its `faults`; pictures that a list names are not looked for.
    Raises `missing-checkpoint` where there is no example, and `wrong-config` where captions.jsonl is in UTF-16.
    """
    listed = folder / LISTED
    examples = _listed(listed) if listed.is_file() else [_beside(path) for path in _pictures(folder)]
    if not examples:
        remedy = f"Give --data a folder of pictures ({', '.join(PICTURES)}) with captions."
        raise StartupError("missing-checkpoint", f"There are no pictures in {folder}.", remedy)
    return examples


def _pictures(folder: Path) -> list[Path]:
    hidden = "."  # as what macOS writes beside files on other disks: ._a.png
    paths = [path for path in folder.glob("*") if path.suffix.lower() in PICTURES]
    return sorted(path for path in paths if not path.name.startswith(hidden))


def _beside(picture: Path) -> Example:
    """A picture with the file of its name that ends in .txt."""
    text, example = picture.with_suffix(".txt"), Example(picture.name, picture, "")
    try:
        example.caption = _decoded(text.read_bytes()).strip()
    except FileNotFoundError:
        example.faults.append(f"it has no caption: write {text.name}, or {LISTED} for all")
    except (OSError, ValueError) as error:
        example.faults.append(f"{text.name} {_reason(error)}")
    return example


def _listed(path: Path) -> list[Example]:
    """JSON lines end at newlines alone: U+2028 and the like are text of a caption."""
    data = path.read_bytes()
    if data.startswith(_UTF_16):
        raise StartupError("wrong-config", f"{path} is in UTF-16.", "Save it as UTF-8.")
    lines = enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1)
    return [_of_line(path, number, line) for number, line in lines if line.strip()]


def _of_line(path: Path, number: int, line: bytes) -> Example:
    example = Example(f"{path.name}, line {number}", Path(), "")
    try:
        said = json.loads(_decoded(line))
        file, caption = said["file"], said["caption"]
        if not isinstance(file, str) or not isinstance(caption, (str, int)) or isinstance(caption, bool):
            raise TypeError
    except UnicodeDecodeError as error:
        example.faults.append(_reason(error))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = f" ({error})" if isinstance(error, ValueError) else ""
        example.faults.append(f'it should be {{"file": "a.png", "caption": "…"}}, with texts{why}')
    else:
        example.place += f" ({file})"
        example.picture, example.caption = path.parent / file, str(caption).strip()
    return example


def _decoded(data: bytes) -> str:
    """UTF-8, with a byte order mark or without. Raises `ValueError`."""
    if data.startswith(_UTF_16):
        raise ValueError("is in UTF-16: save it as UTF-8")
    return data.removeprefix(codecs.BOM_UTF8).decode()


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return f"is not in UTF-8 (its byte {error.start} is 0x{byte:02x}): save it as UTF-8"
    return str(error) if isinstance(error, ValueError) else f"cannot be read: {error}"
