"""One progress line for every training command, through rich: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """`with Progress("tokenizer", steps) as p: p.update(done, "loss 1.2")`. Writes to standard error."""

    def __init__(self, title: str, total: int, every_seconds: float = 20.0, done: int = 0) -> None:
        """`done`: what an earlier run did. Of several processes that train together, the first speaks."""
        silent = os.environ.get("RANK", "0") != "0"
        self._console = Console(stderr=True, quiet=silent)
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._bar = Bar(TextColumn(title), *columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task(title, total=total, note="", completed=done)
        self._title, self._total, self._every = title, total, every_seconds
        self._first, self._silent = done, silent
        self._start, self._spoke = time.monotonic(), 0.0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def update(self, done: int, note: str) -> None:
        """Says where the work is; elsewhere than on a terminal at most once in `every_seconds`."""
        self._bar.update(self._task, completed=done, note=note)
        now = time.monotonic()
        if (
            not self._console.is_terminal
            and not self._silent
            and (now - self._spoke > self._every or done == self._total)
        ):
            self._spoke = now
            passed = now - self._start
            left = passed / max(1, done - self._first) * (self._total - done)
            told = f"{self._title} {done}/{self._total} {passed:.0f}s, {left:.0f}s left: {note}"
            print(told, file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(f"{self._title}: {line}", highlight=False, markup=False, soft_wrap=True)
