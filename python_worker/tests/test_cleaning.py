"""Captions are cleaned as LlamaGen cleans them: the expected texts are what its own `clean_caption`, twice, gives."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sjd2_worker.adapters.cleaning import cleaned
from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load

from .tiny_llamagen import write_captions, write_classes

CAPTIONS = {
    "  A \u201cred\u201d  circle \u2013 on\n(blue) paper* ": 'a "red" circle - on blue paper',
    "a 2x2 grid of cats": "a grid of cats",
    "a 2.5\u00d74 canvas on a wall": "a canvas on a wall",
    "the u.s. capitol at night": "the u. s. capitol at night",
    "A shiba inu, see https://www.example.com/dogs?id=7 for more": "a shiba inu, see ?id=7 for more",
    "photo by @jane_doe on example.org/photos": "photo by on",
    "<b>Bold</b> text &amp; <i>more</i><br/> of it<script>x()</script>": "bold text more of it",
    "a &lt;person&gt; riding a bike": "a person riding a bike",
    "a <person> riding a bike": "a person riding a bike",
    "sunset+over%20the+sea": "sunset over the sea",
    "IMG_2041.jpg a dog": "a dog",
    "a dog jpg images": "a dog",
    "A big green Ford F250 Pickup truck": "a big green ford pickup truck",
    "phone case jc6640 model ab12cd 6640vc231 j2d1a2": "phone case model",
    "article 1234567 #12 #12345 #1234": "article 1234",
    "free shipping worldwide free shipping a red lamp download free": "a red lamp",
    "click for details page 12 a lamp": "a lamp",
    "192.168.0.1 the router": "the router",
    "line one\\nline two": "line one line two",
    "this-is-my_cute-cat": "this is my cute cat",
    "well-known t-shirt": "well-known t-shirt",
    "***SALE*** a lamp...": "sale a lamp",
    "\u6c34\u58a8 landscape": "landscape",
    "\ufb01ne art of it&rsquo;s": "fine art of it's",
    '"a quoted sign"': "a quoted sign",
    "'tis the season": "tis the season",
    "wait . what": "wait what",
    "a cat : a dog": "a cat: a dog",
    "one,two/three.four": "one, two three. four",
    "-a dash at the front-": "a dash at the front",
    "Eiffel Tower, 8k, hdr": "eiffel tower, 8k, hdr",
    "***": "",
    "()": "",
    "\u4e2d\u6587": "",
}


@pytest.mark.parametrize(("caption", "wanted"), CAPTIONS.items(), ids=map(ascii, CAPTIONS))
def test_what_is_cleaned(caption: str, wanted: str) -> None:
    assert cleaned(caption) == wanted


def test_without_the_libraries_only_captions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for write in (write_captions, write_classes):
        write(tmp_path / write.__name__)
    monkeypatch.setitem(sys.modules, "ftfy", None)
    monkeypatch.delitem(sys.modules, "sjd2_worker.adapters.cleaning")
    with pytest.raises(StartupError, match="need ftfy") as caught:
        load(tmp_path / "write_captions", None, "cpu", "f32", 2)
    assert (caught.value.code, "[hf]" in caught.value.remedy) == ("missing-library", True)
    assert load(tmp_path / "write_classes", None, "cpu", "f32", 2)
