"""Whether a checkpoint will load here, from its files' headers alone: `python -m sjd2_worker.check --help`.

The family's own adapter is made on torch's meta device, as for a plan: what it accepts is what the worker will load.
Before that, the parts of the folder that can be looked at apart are, so that all that is missing is named at once.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from .__main__ import family_options
from .adapters.base import Adapter
from .errors import StartupError
from .hub import headers
from .loading import adapter_module, choose, open_adapter
from .plan import plan_arguments, report

LIBRARIES = ("torch", "transformers", "accelerate", "bitsandbytes")


def check(said: argparse.Namespace) -> dict[str, Any]:
    """What `main` prints: `said` are its arguments."""
    faults: list[StartupError] = []
    found: dict[str, Any] = {"family": None, "picture": None, "plan": None}
    try:
        device, dtype = choose(said.device, said.dtype)
        with headers(said.model) as folder:
            module = adapter_module(folder, said.adapter)
            found["family"] = module.__name__.rpartition(".")[2]
            faults += faults_of_parts(module, folder)
            adapter = open_adapter(folder, said.adapter, torch.device("meta"), dtype, family_options(said))
        found |= {"family": adapter.card["family"], "picture": picture(adapter)}
        found["plan"] = report(adapter, device, dtype, said)
        faults += too_large(found["plan"], said.images)
    except StartupError as error:
        faults.append(error)
    told = {error.message: {"code": error.code, "message": error.message, "remedy": error.remedy} for error in faults}
    return {**found, "libraries": libraries(), "faults": list(told.values()), "loads": not faults}


def faults_of_parts(module: ModuleType, folder: Path) -> list[StartupError]:
    """What is wrong with the parts of a folder that its family's adapter looks at apart."""
    faults = []
    for part in getattr(module, "parts", lambda _: ())(folder):
        try:
            part()
        except StartupError as error:
            faults.append(error)
    return faults


def picture(adapter: Adapter) -> dict[str, Any]:
    """The pictures that an adapter draws: the size that was asked for, the one it was trained at, and the others."""
    card, sizes = adapter.card, adapter.sizes
    size = [card["picture"]["height"], card["picture"]["width"]]
    trained = size if sizes is None else sizes.trained and list(sizes.trained)
    codes = {"rows": card["grid"]["rows"], "columns": card["grid"]["columns"], "count": card["image"]["count"]}
    return {"size": size, "trained": trained, "unit": sizes and sizes.unit, "codes": codes}


def too_large(plan: dict[str, Any], images: int) -> list[StartupError]:
    """That not even one picture has room; with fewer than `images` the worker loads, and the others wait."""
    each = sum(plan[what] for what in ("cache", "logits", "latents")) // images
    if plan["weights"] + each <= plan["memory"]:
        return []
    return [StartupError("out-of-memory", "The memory that is free holds not even one picture.", plan["remedy"])]


def libraries() -> dict[str, str | None]:
    """Versions of what loading depends on; None: not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> int:
    """Prints one JSON object: what was found, the faults, and whether it loads."""
    parser = argparse.ArgumentParser(prog="python -m sjd2_worker.check", description=__doc__)
    plan_arguments(parser)
    print(json.dumps(check(parser.parse_args())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
