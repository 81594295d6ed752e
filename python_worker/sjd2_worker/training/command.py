"""What the commands of this room share: the model's options, and how they end.

Progress goes to standard error. The last line of standard output is the result as JSON, or {"error": {...}}.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..__main__ import _size
from ..adapters.base import Adapter
from ..errors import StartupError, ran_out_of_memory
from ..loading import choose, open_adapter, warnings_of
from .loop import StoppedError


def add_model(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="DIR", help="checkpoint folder, or a hub's id in the local cache")
    add("--adapter", type=Path, metavar="FILE", help="a Python file with `load`, for a family of your own")
    add("--size", type=_size, metavar="HxW", help="pictures' height and width in pixels, for families of several sizes")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: cuda where there is one")


def add_data(parser: argparse.ArgumentParser) -> None:
    """How pictures and captions are taken."""
    add = parser.add_argument
    add("--background", default="white", metavar="COLOUR", help="what transparent pictures are laid on")
    add("--skip-bad", action="store_true", help="leave out, and count, the examples that cannot be used")


def load_adapter(arguments: argparse.Namespace, dtype: str = "f32") -> Adapter:
    """Raises `StartupError`."""
    device, kind = choose(arguments.device, dtype)
    adapter = open_adapter(arguments.model, arguments.adapter, device, kind, {"size": arguments.size})
    if os.environ.get("RANK", "0") == "0":
        for warning in warnings_of(adapter, arguments.device):
            print(warning, file=sys.stderr, flush=True)
    return adapter


def run(command: Callable[[], dict[str, Any]]) -> int:
    """The exit code: 0, 1 where something is wrong, 130 after an interruption. Of several processes, one speaks."""
    try:
        result = json.dumps(command())
        if os.environ.get("RANK", "0") == "0":
            print(result)
        return 0
    except StoppedError as error:
        print(json.dumps({"error": {"code": "interrupted", "message": str(error), "remedy": "Run the command again."}}))
        return 130
    except StartupError as error:
        print(error.line())
        return 1
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        message, remedy = f"{type(error).__name__}: {error}", "Please report it with the traceback above."
        if ran_out_of_memory(error):
            remedy = "Try a smaller --batch with --accumulate, --checkpointing, --lora or --dtype bf16."
        print(StartupError("out-of-memory" if ran_out_of_memory(error) else "internal", message, remedy).line())
        return 1
