"""Tiny checkpoints in DIR; in reference.json, what each family's reference draws: `python -m tests.reference DIR`."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from torch.nn import functional as F

from sjd2_worker.loading import load
from sjd2_worker.worker import Worker

from .library import Library
from .test_families import OPTIONS, PROMPT, decode_by_library, generate_by_janus, generate_by_library, whole_model
from .test_llamagen import CAPTION, of_caption, of_class
from .test_published import draw_by_the_published_loop, reference_of
from .tiny_families import WRITERS, write_mine
from .tiny_llamagen import CLASSES, SIDE, write_captions, write_classes
from .tiny_published import PUBLISHED

GUIDANCE = 3.0
PROMPTS = {"classes": "3", "captions": CAPTION}


def main() -> None:
    out = Path(sys.argv[1])
    families: dict[str, Any] = {}
    for name, write in {**WRITERS, "classes": write_classes, "captions": write_captions, **PUBLISHED}.items():
        write(out / name)
        options = OPTIONS.get(name, {})
        worker = load(out / name, None, "cpu", "f32", 2, options)
        families[name] = {
            "prompt": PROMPTS.get(name, PROMPT),
            "size": "x".join(map(str, options["size"])) if options else None,
            "noise": worker._adapter.card["denoising"] is not None,
            "tokens": likeliest(name, out / name, worker),
        }
    write_mine(out / "mine")
    (out / "reference.json").write_text(json.dumps({"guidance": GUIDANCE, "families": families}))


def likeliest(name: str, folder: Path, worker: Worker) -> list[int]:
    """The likeliest ids: by `generate` where the library generates images, else by its forward; of LlamaGen and
    Lumina-mGPT 2.0, which no library has, by their arithmetic written a second time.
    """
    if name in PROMPTS:
        return likeliest_of_llamagen(name, folder)
    if name == "liquid":
        prompt = worker._adapter.tokenize(PROMPT)
        return draw_by_the_published_loop(folder, prompt.conditional, prompt.unconditional, GUIDANCE)
    if name == "lumina2":
        return decode_by_library(worker, reference_of(name, folder), GUIDANCE, None)
    whole, image = whole_model(name, folder), worker._adapter.card["image"]
    if name == "emu3":
        return generate_by_library(worker, whole, GUIDANCE, None)
    if name == "janus":
        return generate_by_janus(worker, whole, GUIDANCE, None)
    head = partial(F.linear, weight=whole.lm_head.weight[image["first"] : image["first"] + image["count"]])
    return decode_by_library(worker, Library(whole.model, head), GUIDANCE, None)


def likeliest_of_llamagen(name: str, folder: Path) -> list[int]:
    codes: list[int] = []
    for _ in range(SIDE**2):
        if name == "classes":
            conditional, unconditional = (of_class(folder, label, codes) for label in (int(PROMPTS[name]), CLASSES))
        else:
            conditional, unconditional = of_caption(folder, PROMPTS[name], codes)
        guided = unconditional[-1] + GUIDANCE * (conditional[-1] - unconditional[-1])
        codes.append(int(guided.argmax()))
    return codes


if __name__ == "__main__":
    main()
