"""What goes wrong, typed: every error says what happened (with why) and what to do."""

from __future__ import annotations

import json
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

PROJECT = Path(__file__).parents[1]  # where pyproject.toml is
NAMED = 8  # of what may be many

StartupCode = Literal[
    "missing-checkpoint",
    "corrupt-checkpoint",
    "wrong-family",
    "wrong-config",
    "wrong-torch",
    "missing-library",
    "bad-endpoint",
    "out-of-memory",
    "internal",
]
RequestCode = Literal[
    "protocol-version",
    "busy",
    "no-lease",
    "bad-message",
    "too-large",
    "bad-slot",
    "bad-token",
    "bad-prompt",
    "not-finite",
    "out-of-memory",
    "internal",
]


class StartupError(Exception):
    """The worker cannot start; `main` prints it as the one JSON line on standard error."""

    def __init__(self, code: StartupCode, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy

    def line(self) -> str:
        return json.dumps({"error": {"code": self.code, "message": self.message, "remedy": self.remedy}})


def ended_line(reason: str) -> str:
    """The last line on standard error of a worker that nobody told to end, so that whoever looks for it learns why."""
    return json.dumps({"ended": reason})


class RequestError(Exception):
    """A request cannot be served; the server sends it as an `ErrorReply` and goes on."""

    def __init__(self, code: RequestCode, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy


def bad_message(message: str) -> RequestError:
    """A request that no correct orchestrator sends."""
    return RequestError(
        "bad-message", message, "Send what protocol/README.md describes; this is a fault of the caller."
    )


def listed(names: Sequence[str], between: str = ", ") -> str:
    """The first of some names, and how many more there are."""
    more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return between.join([*names[:NAMED], *more])


def install(extra: str) -> str:
    """The command that adds an extra of pyproject.toml to this Python."""
    return command("-m", "pip", "install", "-e", f"{PROJECT}[{extra}]")


def command(*words: str) -> str:
    """A command line for this Python, as a shell takes it."""
    return shlex.join([sys.executable, *words])


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether torch, on a CPU or a GPU, or Python could not allocate."""
    says = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in says or "can't allocate memory" in says


def users_line(error: BaseException) -> str | None:
    """`file:line` of the innermost frame that is neither this package's nor a library's: that of a user's adapter."""
    ours = [Path(__file__).parent, *(Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix))]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename).resolve()
        library = "site-packages" in file.parts or any(file.is_relative_to(folder) for folder in ours)
        if file.is_file() and not library:
            return f"{frame.filename}:{frame.lineno}"
    return None
