"""What a run writes down of every step: a line of JSON, and scalars that TensorBoard shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import install


class Record:
    """`path`: the JSON lines. `board`: the folder that TensorBoard is pointed at; None writes for it nothing.

    tensorboardX writes what TensorBoard reads with protobuf alone; torch's own writer needs all of TensorBoard.
    """

    def __init__(self, path: Path, board: Path | None, first: int) -> None:
        """`first`: the step that comes next; what an earlier process wrote of it and later ones no longer counts."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a")
        self._board: Any = None
        if board is not None:
            try:
                from tensorboardX import SummaryWriter
            except ImportError:
                print(f"TensorBoard shows nothing of this run: {install('training')}", file=sys.stderr)
            else:
                self._board = SummaryWriter(str(board), purge_step=first)

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        if self._board:
            self._board.close()

    def write(self, step: int, numbers: Mapping[str, float], room: str = "training") -> None:
        """`room`: training or validation."""
        named = {name if room == "training" else f"{room} {name}": round(v, 4) for name, v in numbers.items()}
        print(json.dumps({"step": step, **named}), file=self._file, flush=True)
        if self._board:
            for name, value in numbers.items():
                self._board.add_scalar(f"{name.replace(' ', '/')}/{room}", value, step)
