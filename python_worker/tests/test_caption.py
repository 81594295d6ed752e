"""How the bundled family reads a caption."""

from __future__ import annotations

import pytest

from sjd2_worker.models.transformer import BEGIN, PADDING, ScenesConfig, encode_caption

CONFIG = ScenesConfig(words=("a", "red", "circle", "above", "square", "left-hand"), caption=4)
A, RED, CIRCLE, ABOVE, SQUARE, LEFT_HAND = range(2, 8)


@pytest.mark.parametrize(
    ("caption", "ids"),
    [
        ("a red circle", [A, RED, CIRCLE]),
        ("A red, circle.", [A, RED, CIRCLE]),
        ("\u201cA\u201d\tred \u2013 circle\u2026", [A, RED, CIRCLE]),
        ("red,circle", [RED, CIRCLE]),
        ("left-hand circle", [LEFT_HAND, CIRCLE]),
        ("", []),
        ("?!", []),
    ],
)
def test_capitals_and_punctuation_mean_nothing(caption: str, ids: list[int]) -> None:
    padded = ids + [PADDING] * (CONFIG.caption - len(ids))
    assert encode_caption(CONFIG, caption) == ([*padded, BEGIN], [], [])


def test_words_that_are_left_out_are_named() -> None:
    caption = encode_caption(CONFIG, "a big red circle, above a dragon\u2019s square")
    assert caption.ids == [A, RED, CIRCLE, ABOVE, BEGIN]
    assert caption.unknown == ["big", "dragon\u2019s"]
    assert caption.cut == ["a", "square"]
