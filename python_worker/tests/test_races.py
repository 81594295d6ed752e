"""Noisy entries with races: what they see, what they must not see, and what a race decides."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.models.transformer import ScenesTransformer, causal
from sjd2_worker.training.race_layers import Clean, NoisyStream, Race, Windows, clean_pass
from sjd2_worker.training.races import carried, true_noise, windows


@pytest.fixture
def base(adapter: ScenesAdapter) -> ScenesTransformer:
    model = adapter.trained["transformer."]
    assert isinstance(model, ScenesTransformer)
    return model


def _read(base: ScenesTransformer) -> tuple[Clean, Tensor, Tensor, Tensor]:
    """Of two random images: what the base says, ids, positions, codes."""
    config, generator = base.config, torch.Generator().manual_seed(1)
    codes = torch.randint(config.codes, (2, config.image_tokens), generator=generator)
    ids = torch.cat((torch.ones(2, config.prompt, dtype=torch.int64), codes[:, :-1] + config.first_code), 1)
    positions = (torch.arange(ids.shape[1]) - config.prompt).expand_as(ids)
    with torch.no_grad():
        return clean_pass(base, ids, positions), ids, positions, codes


def _stream(base: ScenesTransformer, *depths: int, sweeps: int = 1) -> NoisyStream:
    torch.manual_seed(3)
    return NoisyStream(base, torch.randn(base.config.width), 2, dict.fromkeys(depths, sweeps))


def _windows(base: ScenesTransformer, clean: Clean, codes: Tensor, earlier: int = 0) -> Windows:
    noise = true_noise(base.config, clean, codes, torch.Generator().manual_seed(2))
    return windows(noise, torch.tensor([[0, 3], [5, 8]]) - earlier, 4)


def test_clean_entries_are_the_base_s(base: ScenesTransformer) -> None:
    """To the bit: the clean pass is the base's own forward."""
    clean, ids, positions, _ = _read(base)
    with torch.no_grad():
        assert torch.equal(clean.logits, base(base.embedding(ids), positions, causal))


def test_untrained_additions_change_nothing(base: ScenesTransformer) -> None:
    """Windows that hold the true codes say what the clean rows say: their attention is decoding's."""
    clean, _, _, codes = _read(base)
    config = base.config
    seen = _windows(base, clean, codes)
    held = codes.gather(1, seen.positions.flatten(1)).view(seen.positions.shape)
    with torch.no_grad():
        read = _stream(base)(seen, clean, base.embedding(held + config.first_code))
    rows = (seen.positions + config.prompt).flatten(1)[:, :, None].expand(-1, -1, config.codes)
    expected = clean.logits.gather(1, rows).view(read.logits.shape)
    torch.testing.assert_close(read.logits, expected, rtol=1e-4, atol=1e-4)


def test_noise_reaches_later_entries_only(base: ScenesTransformer) -> None:
    """The noise of one position changes its own entry and those after it in its own window, and nothing else."""
    clean, _, _, codes = _read(base)
    seen = _windows(base, clean, codes)
    other = seen.noise.clone()
    other[0, 1, 2] = other[0, 1, 2].flip(0)
    stream = _stream(base, 1, 2, sweeps=2)
    with torch.no_grad():
        differs = stream(seen, clean).logits != stream(Windows(*seen[:2], other), clean).logits
    expected = torch.zeros(2, 2, 4, dtype=torch.bool)
    expected[0, 1, 2:] = True
    assert torch.equal(differs.any(-1), expected)


def test_a_race_tells_the_winner(base: ScenesTransformer) -> None:
    """With the true law in its head's reach, sharp, a race adds the embedding of the code that wins."""
    count, width = 6, 8
    torch.manual_seed(4)
    race = Race(torch.randn(count, width), width, sweeps=1)
    with torch.no_grad():
        race.sharpness.fill_(1e4)
    table, noise = torch.randn(count, width), torch.randn(1, 1, 3, count)
    entries, front = torch.randn(1, 1, 3, width), torch.randn(1, 1, width)
    with torch.no_grad():
        told, logits = race(entries, front, noise, table)
    torch.testing.assert_close(told - entries, table[(logits + noise).argmax(-1)])


def test_posterior_noise_lets_the_truth_win(base: ScenesTransformer) -> None:
    """The windows' noise is the positions' own: added to what the base says it gives the true codes."""
    clean, _, _, codes = _read(base)
    seen = _windows(base, clean, codes)
    rows = (seen.positions + base.config.prompt - 1).flatten(1)[:, :, None].expand(-1, -1, base.config.codes)
    law = clean.logits.gather(1, rows).view(seen.noise.shape)
    truth = codes.gather(1, seen.positions.flatten(1)).view(seen.positions.shape)
    assert torch.equal((law + seen.noise).argmax(-1), truth)


def test_windows_carry_the_drafts_of_an_earlier_pass(base: ScenesTransformer) -> None:
    """Where the earlier window predicted them: `argmax logits + noise` of the entry before; elsewhere none."""
    clean, _, _, codes = _read(base)
    seen, earlier = _windows(base, clean, codes), _windows(base, clean, codes, 1)
    stream = _stream(base, 1)
    with torch.no_grad():
        drafts = (stream(earlier, clean).logits[:, :, :3] + earlier.noise[:, :, 1:]).argmax(-1)
    held = carried(stream, True, clean, seen, earlier)
    assert torch.equal(held[:, :, :3], drafts)
    assert bool((held[:, :, 3] == -1).all())
