"""Examples are checked before anything is computed with them: all that is wrong is told at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from ..adapters.base import Adapter
from ..errors import RequestError, StartupError, ran_out_of_memory
from .folders import Example
from .loop import StoppedError
from .progress import Progress

TOLD = 20  # faults that are listed; the rest is counted
Stopped = Callable[[], bool]


def never() -> bool:
    return False


@dataclass(frozen=True)
class Checks:
    """How faults are met, and who may stop a long check."""

    skip_bad: bool = False
    stopped: Stopped = never


def check_captions(adapter: Adapter, examples: Sequence[Example], checks: Checks) -> None:
    """Tokenizes every caption as training will; adds to `faults`. Raises `StoppedError`."""
    shortened: list[str] = []
    with Progress("checking captions", len(examples)) as progress, torch.no_grad():
        for number, example in enumerate(examples, 1):
            if not example.faults:
                reason, lost = _of_caption(adapter, example.caption)
                example.faults += [reason] if reason else []
                shortened += [f"{example.place}: {' '.join(lost)}"] if lost else []
            _go_on(checks.stopped)
            progress.update(number, "")
        if shortened:
            few = "; ".join(shortened[:3])
            progress.say(f"captions of which the model does not read all words: {len(shortened)}, as in {few}")


def check_pictures(
    examples: Sequence[Example], known: Collection[str], background: str, checks: Checks
) -> dict[Path, str]:
    """Reads every picture; adds to `faults`. Returns the SHA-256 of each picture's file.

    Pictures of `known` hashes were read before and are only hashed. Raises `StoppedError`.
    """
    from .pictures import UnreadableError, check_picture

    def look(path: Path) -> tuple[str, str | None, bool]:
        try:
            data = path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            return digest, None, digest not in known and check_picture(data, background)
        except FileNotFoundError:
            return "", "there is no such picture", False
        except (OSError, ValueError, UnreadableError) as error:  # the second: a name that no file can have
            return "", str(error), False

    paths = list(dict.fromkeys(example.picture for example in examples if example.picture.name))
    found: dict[Path, tuple[str, str | None, bool]] = {}
    with Progress("checking pictures", len(paths)) as progress:
        for path, result in zip(paths, _in_threads(look, paths), strict=True):
            found[path] = result
            _go_on(checks.stopped)
            progress.update(len(found), path.name)
        if count := sum(clear for *_, clear in found.values()):
            progress.say(f"pictures that are transparent: {count}, laid on {background} (--background)")
    for example in examples:
        if example.picture in found and (reason := found[example.picture][1]):
            example.faults.append(reason)
    return {path: digest for path, (digest, *_) in found.items()}


def without_faults(examples: Sequence[Example], source: Path, checks: Checks) -> list[Example]:
    """The examples that can be used. Raises `wrong-config` where others are there and should not be left out."""
    bad = [example for example in examples if example.faults]
    if not bad:
        return list(examples)
    lines = [f"  {example.place}: {'; '.join(example.faults)}" for example in bad[:TOLD]]
    lines += [f"  … and {len(bad) - TOLD} more"] if len(bad) > TOLD else []
    told = "\n".join([f"{len(bad)} of {len(examples)} examples in {source} cannot be used:", *lines])
    if not checks.skip_bad or len(bad) == len(examples):
        remedy = "Mend them." if len(bad) == len(examples) else "Mend them, or leave them out: --skip-bad."
        raise StartupError("wrong-config", told, remedy)
    Progress("left out", len(bad)).say(told)
    return [example for example in examples if not example.faults]


def _of_caption(adapter: Adapter, caption: str) -> tuple[str | None, list[str]]:
    """Why a caption cannot be used; else the words that the model does not read."""
    if not caption.strip():
        return "its caption is empty; --caption-dropout leaves captions out for guidance", []
    if "\0" in caption:
        return "its caption holds NUL characters, as UTF-16 read as UTF-8 does: save it as UTF-8", []
    try:
        caption.encode()
    except UnicodeEncodeError as error:
        return f"its caption holds half a character (the lone surrogate U+{ord(caption[error.start]):04X})", []
    try:
        said = adapter.read(caption)
    except RequestError as error:
        return f"caption {_short(caption)}: {error.message} {error.remedy}", []
    except Exception as error:  # of a tokenizer, or of a user's adapter
        if ran_out_of_memory(error):
            raise
        return f"caption {_short(caption)}: {type(error).__name__}: {error}", []
    return None, [*said.unknown, *said.cut]


def _short(caption: str) -> str:
    return repr(caption if len(caption) <= 60 else f"{caption[:60]}…")


def _in_threads(
    look: Callable[[Path], tuple[str, str | None, bool]], paths: Iterable[Path]
) -> Iterator[tuple[str, str | None, bool]]:
    """In order; what has not begun is dropped when nobody asks any more. Pillow decodes outside Python's lock."""
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        yield from pool.map(look, paths)
    finally:
        pool.shutdown(cancel_futures=True)


def _go_on(stopped: Stopped) -> None:
    if stopped():
        raise StoppedError("Stopped while the examples were checked; nothing was trained.")
