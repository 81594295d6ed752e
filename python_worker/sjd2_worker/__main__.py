"""`python -m sjd2_worker`: loads a checkpoint and serves it until it is told to stop or its parent is gone."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

from . import __version__
from .errors import StartupError

HELP = """\
Loads the model in DIR and answers requests on the endpoint: forward passes over key/value slots, text to tokens,
tokens to pictures. It decides nothing; `sjd2` starts it and does. The wire is described in protocol/README.md.

examples:
  python -m sjd2_worker --model checkpoints/scenes --endpoint ipc:///tmp/private/worker.sock --parent $$
  python -m sjd2_worker --model org/name --size 768 --endpoint ipc:///tmp/private/worker.sock
  python -m sjd2_worker --model DIR --endpoint tcp://0.0.0.0:5555 --curve-secret-file key

If it cannot start, the last line on standard error is {"error": {"code", "message", "remedy"}}; if it ends unasked,
{"ended": why}.
It ends on a shutdown request, on SIGTERM, when the parent process is gone, and on SIGINT where there is no parent:
a terminal sends Ctrl-C to both, and the parent decides what is still to be finished.
"""


def main(words: list[str] | None = None) -> int:
    """Exit code 0 after an orderly end, 1 if the worker could not start."""
    arguments = _parser().parse_args(words)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave if arguments.parent is None else signal.SIG_IGN)
    try:
        _run(arguments)
    except StartupError as error:
        print(error.line(), file=sys.stderr)
        return 1
    except Exception as error:
        traceback.print_exc()
        message = f"The worker failed to start: {type(error).__name__}: {error}"
        print(StartupError("internal", message, "Please report it with the traceback above.").line(), file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sjd2_worker", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    model_arguments(parser)
    add = parser.add_argument
    add("--endpoint", required=True, help="ipc://PATH in a private directory, or tcp://HOST:PORT")
    add("--slots", type=positive, default=8, help="key/value slots: two per image with guidance (default: 8)")
    add("--parent", type=int, metavar="PID", help="end when this process is gone")
    add("--idle", type=float, metavar="SECONDS", help="end when for so long nobody has held slots")
    add("--curve-secret-file", type=Path, metavar="FILE", help="for tcp: the secret key that both ends hold")
    add("--insecure", action="store_true", help="for tcp: no keys; anyone who reaches the port may use the worker")
    add("--version", action="version", version=f"sjd2-worker {__version__}")
    return parser


def model_arguments(parser: argparse.ArgumentParser) -> None:
    """Which checkpoint, and how it is loaded."""
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="DIR", help="checkpoint folder, or a hub's id in the local cache")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: cuda where there is one")
    add("--dtype", default="auto", choices=("auto", "f32", "bf16", "f16"), help="auto: bf16 on cuda, f32 on a CPU")
    add("--adapter", type=Path, metavar="FILE", help="a Python file with `load`, for a family of your own")
    add("--size", type=_size, metavar="HxW", help="pictures' height and width in pixels, for families of several sizes")
    add("--quantize", choices=("int8", "nf4"), help="weights of 8 or 4 bits, for transformers' families")
    add("--prompt-cells", type=positive, metavar="N", help="the most tokens of a prompt that slots have room for")
    add("--gpus", type=positive, help="spread the layers over so many GPUs, for transformers' families (default: one)")


def family_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is the family's to understand, as `loading.load` takes it."""
    return {name: getattr(arguments, name) for name in ("size", "quantize", "gpus")}


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return positive(height), positive(width or height)


def _run(arguments: argparse.Namespace) -> None:
    """Everything heavy is imported here, so that --help and --version answer at once. Raises `StartupError`."""
    abandoned = _watch(arguments.parent)
    try:
        from .loading import load
    except ImportError as error:
        remedy = "Run the project's set-up again, or choose a Python with torch by --python."
        raise StartupError("wrong-torch", f"{sys.executable} cannot import {error.name}: {error}.", remedy) from error
    from .endpoint import bound
    from .server import serve

    options = family_options(arguments)
    model = (arguments.model, arguments.adapter, arguments.device, arguments.dtype, arguments.slots, options)
    # All that computes runs in one thread, loading too: OpenMP keeps helpers for each thread that ever asked for some,
    # and once it has more threads than there are cores it makes them sleep at once, which slows small matrices.
    with ThreadPoolExecutor(1) as device:
        worker = device.submit(load, *model, arguments.prompt_cells).result()
        with bound(arguments.endpoint, arguments.curve_secret_file, arguments.insecure) as socket:
            serve(socket, worker, device, abandoned, arguments.idle)


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: what follows is cleaning up
    raise SystemExit(0)


def _watch(parent: int | None) -> Callable[[], bool]:
    """A function that says whether the process `parent` is gone (as a real parent, even if it remains a zombie)."""
    direct = parent == os.getppid()

    def gone() -> bool:
        if parent is None:
            return False
        if direct:
            return os.getppid() != parent
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False

    return gone


if __name__ == "__main__":
    sys.exit(main())
