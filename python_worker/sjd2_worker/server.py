"""The loop: one request at a time in, one reply out. Whatever a request does, it is answered and the loop goes on."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Sequence

import torch
import zmq

from .errors import RequestError, bad_message, ran_out_of_memory
from .protocol import Head, check_request, decode_head, decode_tensors, encode
from .worker import Worker

MAX_BYTES = 256 * 2**20  # of a request, its tensors included
POLL_MILLISECONDS = 1000

Frames = Sequence[bytes | memoryview]


def serve(socket: zmq.Socket[bytes], worker: Worker, abandoned: Callable[[], bool]) -> None:
    """Answers requests on a ROUTER socket until `shutdown`, or until nobody is left to serve."""
    looked = time.monotonic()
    while True:
        if socket.poll(POLL_MILLISECONDS):
            identity, *frames = socket.recv_multipart(copy=False)
            reply, last = answer(worker, [frame.buffer for frame in frames])
            socket.send_multipart([identity.bytes, *reply], copy=False)
            if last:
                return
        if time.monotonic() - looked >= POLL_MILLISECONDS / 1000:
            looked = time.monotonic()
            if abandoned():
                return


def answer(worker: Worker, frames: Frames) -> tuple[Frames, bool]:
    """The reply's frames to a request's, and whether it was the last. Never raises but to end the process."""
    received = time.monotonic()
    head: Head = {}
    try:
        size = sum(memoryview(frame).nbytes for frame in frames)
        if size > MAX_BYTES:
            message = f"The request has {size} bytes, the worker takes {MAX_BYTES}."
            raise RequestError("too-large", message, "Send the lanes in several passes.")
        if not frames:
            raise bad_message("The message has no frames.")
        head = decode_head(frames[0])
        check_request(head)
        said, tensors = worker.serve(head, decode_tensors(head, frames[1:]))
        if "clock" in said:
            said["clock"]["received"] = received
        return encode({"op": head["op"], "id": head["id"], "ok": True, **said}, tensors), head["op"] == "shutdown"
    except Exception as error:
        return [encode(_refusal(error, head.get("id")), {})[0]], False


def _refusal(error: Exception, request: object) -> Head:
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


def _typed(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if ran_out_of_memory(error):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return RequestError(
            "out-of-memory",
            f"There was not enough memory for this request ({error or type(error).__name__}).",
            "Send fewer entries at once and prefill the slots of this request again.",
        )
    traceback.print_exception(error, file=sys.stderr)
    return RequestError(
        "internal",
        f"The worker failed: {type(error).__name__}: {error}.",
        "Prefill the slots of this request again; the worker's standard error has the traceback. Please report it.",
    )
