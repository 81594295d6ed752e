"""protocol/golden: what the other side's tests decode is what this side encodes."""

from __future__ import annotations

import base64
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sjd2_worker.protocol import decode_head, decode_tensors, schema, validator

GOLDEN = Path(__file__).parents[2] / "protocol" / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))


def _golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_decodes_to_what_it_says(name: str) -> None:
    golden = _golden(name)
    frames = [base64.b64decode(frame) for frame in golden["frames"]]
    head = decode_head(frames[0])
    assert head == golden["head"]
    validator("Request" if name.endswith("request") else "Reply")(head)
    tensors = decode_tensors(head, frames[1:])
    assert list(tensors) == list(golden["values"])
    for tensor, values in golden["values"].items():
        np.testing.assert_array_equal(tensors[tensor].ravel(), values)


def test_there_is_one_of_every_message() -> None:
    definitions = schema()["definitions"]
    choices = [*definitions["Request"]["oneOf"], *definitions["Reply"]["oneOf"]]
    titles = {choice["$ref"].rsplit("/", 1)[1] for choice in choices}
    found = {f"{_golden(name)['head']['op'].capitalize()}{name.rsplit('-', 1)[1].capitalize()}" for name in NAMES}
    assert found == titles


def test_making_them_again_changes_nothing(tmp_path: Path) -> None:
    runpy.run_path(str(GOLDEN / "make.py"))["main"](tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in GOLDEN.glob("*.json")}
