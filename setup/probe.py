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


worker = version("sjd2-worker")
needs = importlib.metadata.requires("sjd2-worker") or [] if worker else []
names = [re.match(r"[\w.-]+", need)[0] for need in needs if "extra ==" not in need]
print(
    json.dumps(
        {
            "python": ".".join(map(str, sys.version_info[:3])),
            "torch": version("torch"),
            "worker": worker,
            "missing": [name for name in names if version(name) is None],
        }
    )
)
