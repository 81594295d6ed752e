"""The PyTorch side of sjd2: it computes what the orchestrator decides. `python -m sjd2_worker --help`."""

__version__ = "0.1.0"
