"""Tiny checkpoints in DIR and, in reference.json, what each family's library draws: `python -m tests.reference DIR`."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from torch.nn import functional as F

from sjd2_worker.loading import load

from .library import Library
from .test_families import KINDS, OPTIONS, PROMPT, decode_by_library, generate_by_library
from .tiny_families import write_emu3, write_lumina, write_mine

GUIDANCE = 3.0


def main() -> None:
    """The likeliest codes: by `generate` where the library generates images, else by its forward."""
    out = Path(sys.argv[1])
    said: dict[str, Any] = {"prompt": PROMPT, "guidance": GUIDANCE, "tokens": {}, "sizes": {}}
    for name, write in {"lumina": write_lumina, "emu3": write_emu3}.items():
        write(out / name)
        worker = load(out / name, None, "cpu", "f32", 2, OPTIONS[name])
        whole = KINDS[name].from_pretrained(out / name).eval()
        image = worker._adapter.card["image"]
        if name == "emu3":
            tokens = generate_by_library(worker, whole, GUIDANCE, None)
        else:
            head = partial(F.linear, weight=whole.lm_head.weight[image["first"] : image["first"] + image["count"]])
            tokens = decode_by_library(worker, Library(whole.model, head), GUIDANCE, None)
        said["tokens"][name] = tokens
        said["sizes"][name] = "x".join(map(str, OPTIONS[name]["size"]))
    write_mine(out / "mine")
    (out / "reference.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
