"""Pictures and captions to codes: `python -m sjd2_worker.training.shards --model DIR --data FOLDER --out FOLDER`.

Pictures are cut to the model's proportions about their middle, scaled to its size, and read by its own image tokenizer.
Captions stand in a file of the picture's name that ends in .txt, or in captions.jsonl: {"file": …, "caption": …}.

All captions and pictures are checked first. What --out holds already is kept as far as it was made of the same: codes
are made anew of pictures whose files have changed, and of all with another model or --background.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..adapters.base import Adapter
from ..errors import StartupError, install
from .checking import Checks, check_captions, check_pictures, without_faults
from .command import add_data, add_model, load_adapter, run
from .folders import find_examples
from .loop import StoppedError
from .progress import Progress
from .shard_files import Shard, find_shards, is_other, kind_of, read_shard, shard_name, write_shard


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sjd2_worker.training.shards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser)
    parser.add_argument("--data", type=Path, required=True, help="folder of pictures and captions")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--batch", type=int, default=16, help="pictures read at once")
    parser.add_argument("--per-shard", type=int, default=4096, help="examples of a file")
    add_data(parser)
    arguments = parser.parse_args()

    def make() -> dict[str, Any]:
        adapter, checks = load_adapter(arguments), Checks(arguments.skip_bad)
        sizes = arguments.batch, arguments.per_shard
        made = write_shards(adapter, arguments.data, arguments.out, *sizes, arguments.background, checks)
        return {"out": str(arguments.out), **made}

    return run(make)


def write_shards(
    adapter: Adapter,
    data: Path,
    out: Path,
    batch: int,
    per_shard: int,
    background: str = "white",
    checks: Checks = Checks(),  # noqa: B008 - it is frozen
) -> dict[str, Any]:
    """Makes what `out` holds be the codes of `data`; returns what it holds, and what was done.

    Raises `StartupError`, `StoppedError`.
    """
    try:
        from .pictures import READING, read_colour
    except ImportError as error:
        message = "Reading pictures needs Pillow, which this Python lacks."
        raise StartupError("missing-library", message, install("training")) from error
    background = read_colour(background)
    of, settings = kind_of(adapter), {"background": background, "reading": READING}
    examples, encode, there = find_examples(data), _encoder(adapter, background), _there(out)
    kept = {path: shard for path, shard in there.items() if shard and (shard.of, shard.settings) == (of, settings)}
    codes = {digest: row for shard in kept.values() for digest, row in zip(shard.pictures, shard.codes, strict=True)}
    check_captions(adapter, examples, checks)
    hashes = check_pictures(examples, codes, background, checks)
    good = without_faults(examples, data, checks)
    digests, captions = [hashes[example.picture] for example in good], [example.caption for example in good]
    _say_changes(out, there, kept, list(zip(digests, captions, strict=True)))
    new = {digest: example.picture for digest, example in zip(digests, good, strict=True) if digest not in codes}
    made, written = _encoded(encode, new, batch, checks), []
    out.mkdir(parents=True, exist_ok=True)
    for number, first in enumerate(range(0, len(good), per_shard)):
        path, part = out / shard_name(number), slice(first, first + per_shard)
        for digest in digests[part]:
            while digest not in codes:
                codes |= [next(made)]
        old = there.pop(path, None)
        if path not in kept or old is None or (old.pictures, old.captions) != (digests[part], captions[part]):
            rows = torch.stack([codes[digest] for digest in digests[part]])
            write_shard(path, Shard(rows, captions[part], of, digests[part], settings))
            written.append(path)
    for path in there:
        path.unlink(missing_ok=True)  # of examples that are no more
    return {
        "examples": len(good), "skipped": len(examples) - len(good), "shards": -(-len(good) // per_shard),
        "written": len(written), "encoded": len(new), "background": background,
    }  # fmt: skip


def _encoder(adapter: Adapter, background: str) -> Callable[[Sequence[Path]], Tensor]:
    """Pictures' files to codes [count, tokens], on the CPU. Raises `StartupError` where the model has no encoder."""
    from .pictures import read_picture

    encode, size = adapter.encoder(), adapter.card["picture"]
    device = adapter.embeddings.table.device

    @torch.inference_mode()
    def run(paths: Sequence[Path]) -> Tensor:
        pictures = [read_picture(path, (size["width"], size["height"]), background) for path in paths]
        return encode(torch.stack(pictures).to(device)).cpu().to(torch.int32)

    return run


def _encoded(
    encode: Callable[[Sequence[Path]], Tensor], pictures: Mapping[str, Path], batch: int, checks: Checks
) -> Iterator[tuple[str, Tensor]]:
    """Pictures' hashes with their codes [tokens], in order. Raises `StartupError`, `StoppedError`."""
    pairs = list(pictures.items())
    with Progress("encoding pictures", len(pairs)) as progress:
        for start in range(0, len(pairs), batch):
            if checks.stopped():
                raise StoppedError("Stopped while pictures were encoded; the shards that are whole are kept.")
            some = pairs[start : start + batch]
            rows = encode([path for _, path in some])
            progress.update(start + len(some), some[-1][1].name)
            yield from zip((digest for digest, _ in some), rows, strict=True)


def _there(out: Path) -> dict[Path, Shard | None]:
    """The shards that a folder holds; None for one that is damaged. Raises `wrong-config` where one is no shard."""
    found: dict[Path, Shard | None] = {}
    for path in find_shards(out):
        try:
            found[path] = read_shard(path)
        except StartupError as error:
            if is_other(path):
                message = f"{path} is in the way: it is a safetensors file, and no shard of pictures."
                raise StartupError("wrong-config", message, "Choose another --out.") from error
            found[path] = None
    return found


def _say_changes(
    out: Path, there: Mapping[Path, Shard | None], kept: Mapping[Path, Shard], wanted: Sequence[tuple[str, str]]
) -> None:
    """In what the shards that are there differ from the examples: hashes of pictures, and captions."""
    if not there:
        return
    held = {pair for shard in kept.values() for pair in zip(shard.pictures, shard.captions, strict=True)}
    before, now = {picture for picture, _ in held}, {picture for picture, _ in wanted}
    counts = {
        "damaged shards": sum(shard is None for shard in there.values()),
        "shards of another model, --background or version": len([s for s in there.values() if s]) - len(kept),
        "pictures new or changed": len(now - before) if kept else 0,
        "pictures gone": len(before - now),
        "captions changed": sum(picture in before and (picture, said) not in held for picture, said in wanted),
    }
    told = [f"{what}: {count}" for what, count in counts.items() if count]
    if told:
        Progress("shards", 0).say(f"{out} is made anew where it differs: {', '.join(told)}")


if __name__ == "__main__":
    raise SystemExit(main())
