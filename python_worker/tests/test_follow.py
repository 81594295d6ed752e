"""Follow heads, and the decoding that they are trained on and measured by."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.models.transformer import ScenesTransformer
from sjd2_worker.training.follow import Correction, batch_of
from sjd2_worker.training.follow_head import FollowHead, Held, corrected, fed_says, follow
from sjd2_worker.training.follow_passes import CONTEXT, Images, decode, gumbel, record

SEED, IMAGES, WINDOW, GUIDANCE = 5, 3, 5, 2.0


@pytest.fixture
def base(adapter: ScenesAdapter) -> ScenesTransformer:
    model = adapter.trained["transformer."]
    assert isinstance(model, ScenesTransformer)
    return model


@pytest.fixture
def prompts(base: ScenesTransformer) -> Tensor:
    words = torch.randint(2, base.config.first_code, (IMAGES, base.config.caption))
    return torch.cat((words, torch.ones(IMAGES, 1, dtype=torch.int64)), 1)


@pytest.fixture(params=[1, 2])
def head(base: ScenesTransformer, request: pytest.FixtureRequest) -> FollowHead:
    """Untrained, but not silent."""
    torch.manual_seed(1)
    made = FollowHead(base, request.param)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


def _noise(base: ScenesTransformer) -> Tensor:
    return gumbel(SEED, IMAGES, base.config.image_tokens, base.config.codes)


def _held(adapter: ScenesAdapter, prompts: Tensor) -> Held:
    """After the second pass of each image."""
    recorded = record(adapter, prompts, SEED, WINDOW, GUIDANCE)
    images = torch.arange(IMAGES)
    return recorded.after(torch.ones_like(images), images, WINDOW, GUIDANCE)


def test_whatever_a_head_says_images_stay(
    adapter: ScenesAdapter, base: ScenesTransformer, prompts: Tensor, head: FollowHead
) -> None:
    one_by_one, passes = decode(adapter, prompts, _noise(base), 0, GUIDANCE)
    assert passes.tolist() == [base.config.image_tokens] * IMAGES
    followed, fewer = decode(adapter, prompts, _noise(base), WINDOW, GUIDANCE, Correction(head, WINDOW, 2))
    assert torch.equal(followed.now, one_by_one.now)
    assert (fewer <= passes).all()


def test_recorded_passes_hold_what_decoding_held(
    adapter: ScenesAdapter, base: ScenesTransformer, prompts: Tensor
) -> None:
    seen: list[Held] = []

    def look(images: Images, noise: Tensor) -> Tensor:
        seen.append(images.held(WINDOW))
        return images.now

    decode(adapter, prompts, _noise(base), WINDOW, GUIDANCE, look)
    for expected, actual in zip(seen[1], _held(adapter, prompts), strict=True):
        torch.testing.assert_close(actual, expected, rtol=2e-3, atol=2e-3)  # states are kept as f16


def test_the_true_distribution_and_the_noise_make_the_image(
    adapter: ScenesAdapter, base: ScenesTransformer, prompts: Tensor
) -> None:
    recorded, images = record(adapter, prompts, SEED, WINDOW, GUIDANCE), torch.arange(IMAGES)
    batch = batch_of(base, recorded, _noise(base), images, images, WINDOW, GUIDANCE)
    drawn = (batch.target[:, :-1] + batch.noise[:, 1:]).argmax(-1)
    learnt = batch.learnt[:, :-1]
    assert learnt.any(1).all()
    assert torch.equal(drawn[learnt], batch.truth[:, :-1][learnt])


def test_where_nothing_has_changed_the_pass_stands(adapter: ScenesAdapter, prompts: Tensor, head: FollowHead) -> None:
    held = _held(adapter, prompts)
    held = held._replace(now=held.fed)
    fed = (held.states != 0).any(-1).any(-1)
    logits = corrected(head, held, fed_says(head, held))
    torch.testing.assert_close(logits[fed], head.base[0].head(held.guided)[fed])


def test_a_head_looks_to_the_left_only(
    adapter: ScenesAdapter, base: ScenesTransformer, prompts: Tensor, head: FollowHead
) -> None:
    held = _held(adapter, prompts)
    place = held.now.shape[1] - WINDOW
    other = held.now.clone()
    other[:, place] = (other[:, place] + 1) % base.config.codes
    was, now = head(held), head(held._replace(now=other))
    torch.testing.assert_close(now[:, :place], was[:, :place])
    assert not torch.allclose(now[:, place], was[:, place])


def test_sweeps_end_where_they_change_nothing(adapter: ScenesAdapter, prompts: Tensor, head: FollowHead) -> None:
    """As many sweeps as entries are a run from left to right: one more changes nothing, and no committed code."""
    held = _held(adapter, prompts)
    base = head.base[0]
    noise = torch.rand(*held.now.shape, base.config.codes)
    whole = follow(head, held, noise, WINDOW, CONTEXT)
    assert torch.equal(whole, follow(head, held, noise, WINDOW + 1, CONTEXT))
    assert torch.equal(whole[:, :-WINDOW], held.now[:, :-WINDOW])
