"""The worker decides nothing: it draws no random numbers, and knows no decoding method."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest
import torch

import sjd2_worker
from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.worker import Worker

from .helpers import PROMPT, ask, chain, logits_of

PACKAGE = Path(sjd2_worker.__file__).parent
SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if "training" not in p.relative_to(PACKAGE).parts)
DECISIONS = re.compile(
    r"(^|_)(rand|random|randn|randint|randperm|generator|manual_seed|multinomial|bernoulli|poisson|exponential|dropout"
    r"|gumbel|secrets|urandom|sampler?|accept(ed|ance)?|reject(ed|ion)?|residual|coupling|drafts?|proposals?"
    r"|argmax|topk|top_k|top_p|softmax|temperature"
    r"|sjd2?)(_|$)",
    re.IGNORECASE,
)
METHODS = re.compile(r"jacobi|speculat|mc-sjd|sjd-pac|sjd\+\+|lantern|zipar|\bgsd\b|\bpjd\b|gumbel|autoregress", re.I)


def _names(source: str) -> set[str]:
    """The identifiers of a source: comments and texts decide nothing."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_names_no_decision(path: Path) -> None:
    # what the tokenizer of pictures calls its residual blocks is no residual distribution
    names = _names(path.read_text("utf-8")) - {"_Residual"}
    assert {name for name in names if DECISIONS.search(name)} == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_knows_no_method(path: Path) -> None:
    """Not even in its comments."""
    assert METHODS.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize("source", ["torch.rand(3)", "x.argmax()", "def accept_drafts(): ...", "from random import x"])
def test_a_decision_would_be_found(source: str) -> None:
    assert any(DECISIONS.search(name) for name in _names(source))


def test_draws_nothing(checkpoint: Path) -> None:
    """Loading, a forward pass and decoding leave torch's generator where it was, and give the same twice."""
    before = torch.get_rng_state()
    results = []
    for _ in range(2):
        adapter = ScenesAdapter(checkpoint, torch.device("cpu"), torch.float32)
        worker = Worker(adapter, 2, torch.device("cpu"), torch.float32)
        results.append(logits_of(worker, chain(PROMPT, 0)))
        adapter.decode(torch.zeros(1, 16, dtype=torch.int64))
        assert ask(worker, {"op": "stats", "id": 1})[0]["forwards"] == 1
    assert torch.equal(torch.get_rng_state(), before)
    assert (results[0] == results[1]).all()
