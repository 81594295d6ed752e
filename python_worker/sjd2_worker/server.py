"""Requests in, replies out, whatever a request does. While one runs, the next are read and checked."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import zmq
from zmq.utils.monitor import recv_monitor_message

from .errors import RequestError, bad_message, ended_line, ran_out_of_memory, users_line
from .leases import Leases
from .memory import Memory
from .protocol import Head, check_request, decode_head, decode_tensors, describe, encode
from .room import give_back
from .worker import Room, Worker

MAX_BYTES = 256 * 2**20  # of a request, its tensors included
POLL_MILLISECONDS = 1000
SWITCH_SECONDS = 2e-4  # a thread that reads requests holds up the one that runs them for no longer

Frames = Sequence[bytes | memoryview]


class Answer(NamedTuple):
    """A reply's frames, and whether the worker ends with it."""

    frames: Frames
    last: bool


class Visitor(NamedTuple):
    """Who asks, over which connection."""

    leases: Leases
    identity: bytes
    connection: int


def serve(
    socket: zmq.Socket[bytes],
    worker: Worker,
    device: Executor,
    abandoned: Callable[[], bool],
    idle: float | None = None,
) -> None:
    """Answers requests on a ROUTER socket until `shutdown`, until nobody is left to serve, or, where `idle` is given,
    until nobody has held slots for so many seconds.

    Requests run in the order of their arrival on `device`, whose one thread loaded the model, and which ends with this.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    socket.router_mandatory = True  # else nothing is said of replies that reach nobody
    leases = Leases(worker.slots)
    answers: deque[tuple[bytes, Future[Answer]]] = deque()
    looked = used = time.monotonic()
    with _hang_ups(socket) as hang_ups, _bell() as (bell, ring), _ended(device):

        def answered(identity: bytes, future: Future[Answer]) -> None:
            if not future.cancelled():
                answers.append((identity, future))
                ring()

        poller = zmq.Poller()
        for one in (socket, hang_ups, bell):
            poller.register(one, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(POLL_MILLISECONDS))
            while hang_ups.poll(0):
                leases.hung_up(recv_monitor_message(hang_ups)["value"])
            if bell in ready:
                os.read(bell, 4096)
            while answers:
                identity, future = answers.popleft()
                # A request that got past its own refusal leaves a device thread that nobody can trust: this raises, and
                # ends the worker, so that it is started again.
                frames, last = future.result()
                if not _sent(socket, [identity, *frames]):
                    # Whoever hung up before its hello was read is no longer told of by the monitor.
                    leases.gone(identity)
                if last:
                    return
            if socket in ready:
                sender, *parts = socket.recv_multipart(copy=False)
                if visitor := _visitor(leases, sender):
                    run = prepare(worker, [part.buffer for part in parts], visitor)
                    device.submit(run).add_done_callback(partial(answered, visitor.identity))
            now = time.monotonic()
            if leases.any:
                used = now
            if now - looked >= POLL_MILLISECONDS / 1000:
                looked = now
                if abandoned():
                    return
                if idle is not None and now - used > idle:
                    print(ended_line(f"nobody had used it for {idle:g} seconds (--idle)"), file=sys.stderr)
                    return


def _visitor(leases: Leases, sender: zmq.Frame) -> Visitor | None:
    """Who sent a message. None for peers of ZMTP 1 and 2, whose messages do not say over which connection they came:
    nobody that speaks this protocol is one."""
    try:
        return Visitor(leases, sender.bytes, int(sender.get(zmq.SRCFD)))
    except zmq.ZMQError:
        return None


def answer(worker: Worker, frames: Frames) -> Answer:
    """The reply to a request of somebody who holds all slots."""
    return prepare(worker, frames)()


def prepare(worker: Worker, frames: Frames, visitor: Visitor | None = None) -> Callable[[], Answer]:
    """Reads and checks a request; what is returned runs it. Neither ever raises, whatever a library or an adapter
    raises: a `SystemExit` and a Rust panic, which are no `Exception`, are refusals too."""
    received = time.monotonic()
    head: Head = {}
    besides: Head = {}
    room: Room = np.empty

    def refuse(error: BaseException) -> Answer:
        return Answer([encode(_refusal(error, head.get("id")), {})[0]], False)

    try:
        size = sum(memoryview(frame).nbytes for frame in frames)
        if size > MAX_BYTES:
            message = f"The request has {size} bytes, the worker takes {MAX_BYTES}."
            raise RequestError("too-large", message, "Send the lanes in several passes.")
        if not frames:
            raise bad_message("The message has no frames.")
        head = decode_head(frames[0])
        check_request(head)
        if visitor:
            leases, identity, connection = visitor
            head, besides = leases.enter(identity, connection, head)
        if "at" in head:
            room = partial(_memory(visitor).array, head["at"])
        ready = worker.prepare(head, decode_tensors(head, frames[1:]), room)
    except BaseException as error:
        refusal = refuse(error)
        return lambda: refusal

    def run() -> Answer:
        try:
            with torch.inference_mode():
                said, tensors = ready()
            if "clock" in said:
                said["clock"]["received"] = received
            if "at" in head:
                said["tensors"] = [{**describe(name, array), "at": head["at"]} for name, array in tensors.items()]
                tensors = {}
            reply = {"op": head["op"], "id": head["id"], "ok": True, **said, **besides}
            return Answer(encode(reply, tensors), head["op"] == "shutdown")
        except BaseException as error:
            return refuse(error)

    return run


def _memory(visitor: Visitor | None) -> Memory:
    memory = visitor.leases.memory(visitor.identity) if visitor else None
    if memory is None:
        raise bad_message("There is no shared memory to put the logits in.")
    return memory


def _sent(socket: zmq.Socket[bytes], message: Frames) -> bool:
    """False where there is nobody to send it to. What somebody never reads is dropped."""
    try:
        socket.send_multipart(message, zmq.NOBLOCK, copy=False)
    except zmq.Again:
        pass
    except zmq.ZMQError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
        return False
    return True


@contextmanager
def _hang_ups(socket: zmq.Socket[bytes]) -> Iterator[zmq.Socket[bytes]]:
    """Tells of connections that have ended, by their file descriptor: before another can have the same."""
    try:
        with socket.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
            yield monitor
    finally:
        socket.disable_monitor()


@contextmanager
def _ended(device: Executor) -> Iterator[None]:
    """On leaving, waits for what runs; what waits for its turn is dropped: nobody will send its answer."""
    try:
        yield
    finally:
        device.shutdown(cancel_futures=True)


@contextmanager
def _bell() -> Iterator[tuple[int, Callable[[], object]]]:
    """What wakes up who polls it, and how another thread rings it."""
    bell, button = os.pipe()
    try:
        yield bell, lambda: os.write(button, b"!")
    finally:
        os.close(bell)
        os.close(button)


def _refusal(error: BaseException, request: object) -> Head:
    """The `ErrorReply`; its id is 0 where the request's could not be read."""
    known = _typed(error)
    number = request if isinstance(request, int) and not isinstance(request, bool) and request >= 0 else 0
    return {
        "op": "error",
        "id": number,
        "ok": False,
        "code": known.code,
        "message": known.message,
        "remedy": known.remedy,
    }


def _typed(error: BaseException) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if ran_out_of_memory(error):
        give_back()
        return RequestError(
            "out-of-memory",
            f"There was not enough memory for this request ({error or type(error).__name__}).",
            "Send fewer entries at once and prefill the slots of this request again.",
        )
    traceback.print_exception(error, file=sys.stderr)
    if place := users_line(error):
        message = f"The adapter failed at {place}: {type(error).__name__}: {error}."
        return RequestError("internal", message, "Mend the adapter file, and start the worker again.")
    return RequestError(
        "internal",
        f"The worker failed: {type(error).__name__}: {error}.",
        "Prefill the slots of this request again; the worker's standard error has the traceback. Please report it.",
    )
