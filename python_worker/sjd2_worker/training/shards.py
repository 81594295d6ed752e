"""Pictures and captions to codes: `python -m sjd2_worker.training.shards --model DIR --data FOLDER --out FOLDER`.

Pictures are cut to the model's proportions about their middle, scaled to its size, and read by its own image tokenizer.
Captions stand in a file of the picture's name that ends in .txt, or in captions.jsonl: {"file": …, "caption": …}.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..adapters.base import Adapter
from ..errors import StartupError, install
from .command import add_model, load_adapter, run
from .examples import write_shard
from .progress import Progress

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
Example = tuple[Path, str]


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
    arguments = parser.parse_args()

    def make() -> dict[str, Any]:
        adapter = load_adapter(arguments)
        shards = write_shards(adapter, arguments.data, arguments.out, arguments.batch, arguments.per_shard)
        return {"out": str(arguments.out), **shards}

    return run(make)


def write_shards(adapter: Adapter, data: Path, out: Path, batch: int, per_shard: int) -> dict[str, int]:
    """Shards that are there already are kept. Raises `StartupError`."""
    examples = find_examples(data)
    try:
        from .pictures import read_picture
    except ImportError as error:
        message = "Reading pictures needs Pillow, which this Python lacks."
        raise StartupError("missing-library", message, install("training")) from error
    encode, (height, width) = adapter.encoder(), (adapter.card["picture"][side] for side in ("height", "width"))
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    with Progress("shards", len(examples)) as progress, torch.inference_mode():
        for number, first in enumerate(range(0, len(examples), per_shard)):
            path, chosen = out / f"shard-{number:05d}.safetensors", examples[first : first + per_shard]
            if not path.exists():
                codes = []
                for start in range(0, len(chosen), batch):
                    pictures = [read_picture(path, (width, height)) for path, _ in chosen[start : start + batch]]
                    codes.append(encode(torch.stack(pictures).to(adapter.embeddings.table.device)).cpu())
                    progress.update(first + start + len(pictures), path.name)
                write_shard(path, torch.cat(codes), [caption for _, caption in chosen], adapter)
                written += 1
    return {"examples": len(examples), "written": written}


def find_examples(folder: Path) -> Sequence[Example]:
    """Pictures and their captions, in the order of their names or of captions.jsonl. Raises `missing-checkpoint`."""
    listed = folder / "captions.jsonl"
    if listed.is_file():
        examples = []
        for number, line in enumerate(listed.read_text("utf-8").splitlines(), 1):
            try:
                said = json.loads(line)
                examples.append((folder / said["file"], str(said["caption"])))
            except (ValueError, KeyError, TypeError) as error:
                remedy = 'Write {"file": "a.png", "caption": "…"} on each line.'
                raise StartupError("wrong-config", f"{listed}, line {number}: {error!r}.", remedy) from error
    else:
        pictures = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURES)
        beside = [(path, path.with_suffix(".txt")) for path in pictures]
        if missing := [path for path, text in beside if not text.is_file()]:
            message = f"{len(missing)} of {len(pictures)} pictures in {folder} have no caption: {missing[0].name} …"
            remedy = f"Write {missing[0].with_suffix('.txt').name}, or captions.jsonl for all."
            raise StartupError("missing-checkpoint", message, remedy)
        examples = [(path, text.read_text("utf-8").strip()) for path, text in beside]
    if not examples:
        remedy = f"Give --data a folder of pictures ({', '.join(PICTURES)}) with captions."
        raise StartupError("missing-checkpoint", f"There are no pictures in {folder}.", remedy)
    return examples


if __name__ == "__main__":
    raise SystemExit(main())
