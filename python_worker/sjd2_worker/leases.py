"""Whose the slots are: every orchestrator gets some by its hello, and keeps them until its connection ends."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import RequestError
from .memory import Memory
from .protocol import Head


@dataclass(frozen=True)
class Lease:
    """What one orchestrator holds."""

    connection: int  # of this process: its file descriptor
    slots: list[int]
    memory: Memory | None


class Leases:
    """All that is held. An orchestrator counts its slots from 0, whichever they are."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._free = list(range(slots))
        self._held: dict[bytes, Lease] = {}

    def enter(self, who: bytes, connection: int, head: Head) -> tuple[Head, Head]:
        """A request as the worker means it; what its reply says besides. Raises `busy`, `no-lease` or `bad-slot`."""
        if head["op"] == "hello":
            return head, self._take(who, connection, head)
        if head["op"] == "stats":
            return head, {"slots": self._slots, "leased": self._slots - len(self._free)}
        if head["op"] == "forward":
            return {**head, "lanes": [_owned(lane, self._lease(who).slots) for lane in head["lanes"]]}, {}
        return head, {}

    @property
    def any(self) -> bool:
        return bool(self._held)

    def memory(self, who: bytes) -> Memory | None:
        """Where replies to it may be put."""
        held = self._held.get(who)
        return held.memory if held else None

    def hung_up(self, connection: int) -> None:
        """Frees what was held over a connection that has ended."""
        for who in [who for who, lease in self._held.items() if lease.connection == connection]:
            self.gone(who)

    def gone(self, who: bytes) -> None:
        """Frees what somebody held, if anything."""
        if who in self._held:
            self._free += self._held.pop(who).slots

    def _take(self, who: bytes, connection: int, head: Head) -> Head:
        self.gone(who)
        wanted = min(head.get("slots", self._slots), self._slots)
        if wanted > len(self._free):
            message = f"Of the worker's {self._slots} slots {len(self._free)} are free and {wanted} are wanted: "
            message += "another run has the others."
            raise RequestError("busy", message, "Wait for that run, or decode fewer images at once.")
        memory = Memory.made() if head.get("memory") else None
        self._held[who] = Lease(connection, self._free[:wanted], memory)
        del self._free[:wanted]
        return {"slots": wanted, **({"memory": {"path": memory.path, "mark": memory.mark}} if memory else {})}

    def _lease(self, who: bytes) -> Lease:
        if who not in self._held:
            message = "This orchestrator holds no slots: it has not said hello, or its connection was lost since."
            raise RequestError("no-lease", message, "Say hello, and prefill again.")
        return self._held[who]


def _owned(lane: Head, slots: list[int]) -> Head:
    branches = []
    for branch in lane["branches"]:
        number = branch["slot"]
        if number >= len(slots):
            message = f"There is no slot {number}; there are {len(slots)}, counted from 0."
            raise RequestError("bad-slot", message, "Decode fewer images at once, or start with more --slots.")
        branches.append({**branch, "slot": slots[number]})
    return {**lane, "branches": branches}
