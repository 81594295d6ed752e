"""Cleaning of captions, as LlamaGen's text-conditional models learned to read them.

The rules are those of LlamaGen's language/t5.py (`clean_caption`), which has them from PixArt-alpha, and this from
DeepFloyd IF. They were made for captions scraped from web pages: addresses, handles, markup, serial numbers and the
words of shops are removed. They are applied in order, and all of them twice. A few change prompts that nobody would
call unclean ("2x2" is removed, "u.s." becomes "u. s."): the models learned from captions that were changed alike.
"""

from __future__ import annotations

import re
import warnings
from html import unescape
from urllib.parse import unquote_plus

import ftfy
from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup

Rules = tuple[tuple[re.Pattern[str], str], ...]


def _rules(*pairs: tuple[str, str]) -> Rules:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in pairs)


_DOMAIN = r"[a-zA-Z0-9.\-]+\.(?:com|co|ru|net|org|edu|gov|it)[\w/\-]*\b/?(?!@)"
_SUFFIX = "(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)"
_DASHES = "-\u058a\u05be\u1400\u1806\u2010\u2011\u2012\u2013\u2014\u2015\u2e17\u2e1a\u2e3a\u2e3b\u2e40"
_DASHES += "\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d"

ADDRESSES = _rules(
    ("<person>", "person"),
    *((rf"\b(?:{scheme}:(?:/{{1,3}}|[a-zA-Z0-9%])|{_DOMAIN})", "") for scheme in ("https?", "www")),
)
CHARACTERS = _rules(
    (r"@\w+\b", ""),  # handles
    (r"[\u31c0-\u9fff]+", ""),  # Chinese and Japanese characters but for kana
    (rf"[{_DASHES}]+", "-"),
    ("[`\u00b4\u00ab\u00bb\u201c\u201d\u00a8]", '"'),
    ("[\u2018\u2019]", "'"),
    ("&quot;?|&amp", ""),  # what is left of markup
    (r"\d{1,3}(?:\.\d{1,3}){3}", " "),  # addresses of computers
    (r"\d:\d\d\s+$", ""),  # a time of day at the end
    (r"\\n", " "),  # a new line, spelt out
    (r"#\d{1,3}\b", ""),
    (r"#\d{5,}\b", ""),
    (r"\b\d{6,}\b", ""),
    (rf"\S+\.{_SUFFIX}", ""),  # names of files
    ("[\"']{2,}", '"'),
    (r"\.{2,}", " "),
    (r"[#®•©™&@·º½¾¿¡§~()\[\]{}|\\/*]+", " "),
    (r"\s+\.\s+", " "),
)
WORDS = _rules(
    (r"\b[a-zA-Z]{1,3}\d{3,15}\b", ""),  # serial numbers: jc6640
    (r"\b[a-zA-Z]+\d+[a-zA-Z]+\b", ""),  # jc6640vc
    (r"\b\d+[a-zA-Z]+\d+\b", ""),  # 6640vc231, and 2x2
    (r"(?:worldwide\s+)?(?:free\s+)?shipping", ""),
    (r"(?:free\s)?download(?:\sfree)?", ""),
    (r"\bclick\b\s(?:for|on)\s\w+", ""),
    (rf"\b{_SUFFIX}(?:\simages?)?", ""),
    (r"\bpage\s+\d+\b", ""),
    (r"\b\d*[a-zA-Z]+\d+[a-zA-Z]+\d+[a-zA-Z\d]*\b", " "),  # j2d1a2a
    (r"\b\d+\.?\d*[x\u0445\u00d7]\d+\.?\d*\b", ""),  # sizes: 2.5x4, by a Latin or Cyrillic letter or the sign
    (r"\b\s+:\s+", ": "),
    (r"(\D[,./])\b", r"\1 "),
    (r"\s+", " "),
    (r"^[\"']([\w\W]+)[\"']$", r"\1"),
    (r"^['_,\-:;]", ""),
    (r"['_,\-:+]$", ""),
    (r"^\.\S+$", ""),
)
JOINTS = re.compile("[-_]")


def cleaned(caption: str) -> str:
    """A caption as the model learned to read it; perhaps nothing of it."""
    return _once(_once(caption))


def _once(caption: str) -> str:
    caption = _applied(ADDRESSES, unquote_plus(caption).strip().lower())
    caption = _applied(CHARACTERS, _text(caption))
    if len(JOINTS.findall(caption)) > 3:  # this-is-my-cute-cat
        caption = JOINTS.sub(" ", caption)
    return _applied(WORDS, unescape(unescape(ftfy.fix_text(caption))).strip()).strip()


def _applied(rules: Rules, caption: str) -> str:
    for pattern, replacement in rules:
        caption = pattern.sub(replacement, caption)
    return caption


def _text(caption: str) -> str:
    """A caption without its markup."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library wonders about captions that look like an address
        try:
            return BeautifulSoup(caption, "html.parser").text
        except ParserRejectedMarkup:  # an end that never comes, "<![": the published code fails
            return caption
