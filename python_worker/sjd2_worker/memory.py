"""Memory that worker and orchestrator share on one machine: what lies there need not go through a socket."""

from __future__ import annotations

import math
import mmap
import os
import uuid
from typing import Any

import numpy as np

from .errors import bad_message
from .protocol import Array

MOST = 2**30  # bytes


class Memory:
    """A file without a name: it is gone with the processes that have it open, however they end."""

    def __init__(self) -> None:
        self._file = os.memfd_create("sjd2-replies")
        os.ftruncate(self._file, MOST)  # as a hole, which takes memory only where something is written
        self._map = mmap.mmap(self._file, MOST)
        self.mark = uuid.uuid4().hex  # the memory begins with it: nothing else does that the path may name elsewhere
        self._map.write(self.mark.encode())

    def __del__(self) -> None:
        os.close(self._file)

    @staticmethod
    def made() -> Memory | None:
        """None where the system has no such files, or lets none be that long (`ulimit -f`)."""
        if not hasattr(os, "memfd_create"):
            return None
        try:
            return Memory()
        except OSError:
            return None

    @property
    def path(self) -> str:
        """Where other processes of the same user can open it, if they count processes alike."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    def array(self, at: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array over the memory from byte `at` on, whatever it holds by now. Raises `bad-message`."""
        count = math.prod(shape)
        end = at + count * dtype.itemsize
        if end > MOST:
            raise bad_message(f"What is to lie from byte {at} on would end behind byte {MOST} of the shared memory.")
        if not count:
            return np.empty(shape, dtype)
        return np.frombuffer(self._map, dtype, count, at).reshape(shape)
