"""What fine-tuning computes: windows as decoding feeds them, its loss, its noise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from sjd2_worker.loading import load
from sjd2_worker.training.examples import Data, Examples, Prompt
from sjd2_worker.training.noise import NOISE_SCHEDULES
from sjd2_worker.training.objective import Objective, posterior_gumbel
from sjd2_worker.training.subject import Subject

from .library import Run, close, forward
from .tuning import OPTIONS, adapter_of, codes_of


@pytest.mark.parametrize("family", ["anole", "lumina", "janus", "emu3", "lumina2"])
def test_windows_are_what_decoding_feeds(models: dict[str, Path], family: str) -> None:
    """A batch's logits in training are those of the worker's passes on the same entries, whatever the prompts are."""
    options = OPTIONS.get(family, {})
    worker = load(models[family], None, "cpu", "f32", 1, options)
    adapter = worker._adapter
    subject = Subject(adapter, "linear", None)
    torch.nn.init.normal_(subject.timestep.second.weight)
    prompts = [adapter.tokenize(caption).conditional for caption in ("a red circle.", "red", "blue circle")]
    codes, start, layout = codes_of(adapter, 3), 3, adapter.card["layout"]
    free = torch.tensor(layout) == -1
    data = Data(codes, lambda row, _: Prompt(torch.tensor(prompts[row])))
    objective = Objective(subject, Examples(data, range(3), 3, 0, 0.0), seed=0, window=6, mixed=False)
    subject.measure()
    ids = torch.tensor(layout).repeat(3, 1)
    ids[:, free] = codes + adapter.card["image"]["first"]
    places = torch.arange(start, start + 6)
    timesteps = torch.tensor([0, 0, 0.5, 0.25, 1.0, 1.0]) * free[places]
    noise = torch.randn(3, 6, adapter.card["width"], generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        objective._attend.see([len(prompt) for prompt in prompts], [start])
        entries = subject.noisy(ids[:, places], noise, timesteps)
        found = objective._logits([data.prompt(row, True) for row in range(3)], codes, entries, places)
        clean = adapter.embed(ids[:, places].flatten()).view(3, 6, -1)
    own = adapter.embeddings
    latents = (1 - timesteps[:, None]) * (clean - own.mean) / own.deviation + timesteps[:, None] * noise
    for row, prompt in enumerate(prompts):
        whole = [*prompt, *ids[row].tolist()]
        (sequential,) = forward(worker, Run(0, 0, whole[:-1], len(prompt)))
        close(found[row, : len(layout)].numpy(), sequential[len(prompt) - 1 :])
        for entry in range(6):  # one after the other: each has its own timestep
            noisy = timesteps[entry] > 0
            token = -1 if noisy else int(ids[row, places[entry]])
            given = [latents[row, entry].numpy()] if noisy else []
            run = Run(0, len(prompt) + start + entry, [token], len(prompt), None, None, given, float(timesteps[entry]))
            (pass_,) = forward(worker, run)
            close(found[row, len(layout) + entry][None].numpy(), pass_)


def test_checkpointing_changes_no_gradient(models: dict[str, Path]) -> None:
    gradients, runs = [], []
    for less in (False, True):
        subject = Subject(adapter_of(models["janus"]), None, None)
        if less:
            subject.remember_less()
        block: Any = subject.adapter.trained["model.language_model."].get_submodule("layers.0.input_layernorm")
        counted = list[int]()
        block.register_forward_hook(lambda *_, counted=counted: counted.append(1))
        data = Data(codes_of(subject.adapter, 2), lambda row, _: Prompt(torch.tensor([1, 2])))
        loss, _ = Objective(subject, Examples(data, range(2), 2, 0, 0.0), seed=0, window=6, mixed=False)(0)
        loss.backward()
        gradients.append({name: p.grad for name, p in subject.parameters.items() if p.grad is not None})
        runs.append(len(counted))
    assert runs[1] == runs[0] + 1  # the loss once more
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)


def test_noise_is_what_decoding_takes_away() -> None:
    """Values of src/decoding/noise-schedule.ts."""
    for name, found in NOISE_SCHEDULES.items():
        signal_share, noise_share = found(torch.tensor([0.0, 0.5, 1.0]))
        assert (signal_share[0].item(), noise_share[0].item()) == (1, 0), name
    signal_share, noise_share = NOISE_SCHEDULES["karras"](torch.tensor([0.5, 1.0]))
    middle = ((0.002 ** (1 / 7) + 80 ** (1 / 7)) / 2) ** 7
    ratios = torch.tensor([middle, 80.0])
    torch.testing.assert_close(noise_share / signal_share, ratios)
    torch.testing.assert_close(noise_share**2 + signal_share**2, torch.ones(2))
    half = torch.tensor([0.5])
    torch.testing.assert_close(torch.cat(NOISE_SCHEDULES["cosine"](half)), torch.full((2,), 0.5**0.5))
    torch.testing.assert_close(torch.cat(NOISE_SCHEDULES["linear"](torch.tensor([0.25]))), torch.tensor([0.75, 0.25]))


def test_noise_under_which_a_token_was_drawn() -> None:
    """It draws that token; over tokens drawn by p it is Gumbel again: 20,000 draws, means within 5 deviations."""
    generator, draws = torch.Generator().manual_seed(0), 20_000
    log_p = torch.tensor([0.6, 0.3, 0.1]).log().expand(draws, 3)
    outcome = torch.multinomial(log_p.exp(), 1, generator=generator)[:, 0]
    noise = posterior_gumbel(log_p, outcome, generator)
    assert torch.equal((log_p + noise).argmax(-1), outcome)
    euler, deviation = 0.5772, math.pi / math.sqrt(6 * draws)
    assert ((noise.mean(0) - euler).abs() < 5 * deviation).all()
    assert abs(float(noise[:, 0] @ (noise[:, 1] - euler)) / draws) < 5 * math.pi**2 / 6 / math.sqrt(draws)
