"""Prints, as JSON, what this Python has of what the worker needs. Imports none of it, so it answers at once."""

import importlib.metadata
import json
import re
import sys


def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def numbers(text):
    return [int(part) for part in re.findall(r"\d+", text)[:3]]


def too_old(need):
    """What is installed of a requirement, where that is older; else None."""
    name = re.match(r"[\w.-]+", need)[0]
    oldest, has = re.search(r">=([\d.]+)", need), version(name)
    if not oldest or not has or numbers(has) >= numbers(oldest[1]):
        return None
    return f"{name} {has}, and needs {oldest[1]} or newer"


worker = version("sjd2-worker")
needs = importlib.metadata.requires("sjd2-worker") or [] if worker else []
names = [re.match(r"[\w.-]+", need)[0] for need in needs if "extra ==" not in need]
used = [need for need in needs if "extra ==" not in need or re.search("extra == .hf", need)]  # to draw, by any family
print(
    json.dumps(
        {
            "python": ".".join(map(str, sys.version_info[:3])),
            "torch": version("torch"),
            "worker": worker,
            "missing": [name for name in names if version(name) is None],
            "old": sorted(filter(None, map(too_old, used))),
        }
    )
)
