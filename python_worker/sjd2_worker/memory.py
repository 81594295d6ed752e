"""Memory that worker and orchestrator share on one machine: what lies there need not go through a socket."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping

import numpy as np

from .errors import bad_message
from .protocol import Array, Head, describe

MOST = 2**30  # bytes


class Memory:
    """A file without a name: it is gone with the processes that have it open, however they end."""

    def __init__(self) -> None:
        self._file = os.memfd_create("sjd2-replies")
        self._map: mmap.mmap | None = None

    def __del__(self) -> None:
        os.close(self._file)

    @staticmethod
    def made() -> Memory | None:
        """None where the system has no such files."""
        return Memory() if hasattr(os, "memfd_create") else None

    @property
    def path(self) -> str:
        """Where other processes of the same user can open it."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    def put(self, at: int, tensors: Mapping[str, Array]) -> list[Head]:
        """Writes tensors one after the other from byte `at` on; returns their descriptors. Raises `bad-message`."""
        descriptors = []
        for name, array in tensors.items():
            if at + array.nbytes > MOST:
                raise bad_message(f"Tensor {name} would end behind byte {MOST} of the shared memory.")
            if array.size:
                self._room(at + array.nbytes, at, array)
            descriptors.append({**describe(name, array), "at": at})
            at += array.nbytes
        return descriptors

    def _room(self, end: int, at: int, array: Array) -> None:
        if self._map is None or len(self._map) < end:
            os.ftruncate(self._file, end)
            self._map = mmap.mmap(self._file, end)
        np.frombuffer(self._map, array.dtype, array.size, at)[:] = array.ravel()
