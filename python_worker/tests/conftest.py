"""A tiny random checkpoint and a worker over it, for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.models.transformer import ScenesConfig
from sjd2_worker.training.tiny import WORDS, write
from sjd2_worker.worker import Worker

SLOTS = 8


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 by 4 codes out of 6, denoising, prompts of 4 tokens. Never changed: tests that spoil it work on a copy."""
    folder = tmp_path_factory.mktemp("tiny")
    write(folder, ScenesConfig(WORDS, 6, 4, 4, 3, layers=2, width=32, heads=2, hidden=64), seed=0, scale=3)
    return folder


@pytest.fixture(scope="session")
def adapter(checkpoint: Path) -> ScenesAdapter:
    return ScenesAdapter(checkpoint, torch.device("cpu"), torch.float32)


@pytest.fixture
def worker(adapter: ScenesAdapter) -> Worker:
    """With empty slots."""
    return Worker(adapter, SLOTS, torch.device("cpu"), torch.float32)
