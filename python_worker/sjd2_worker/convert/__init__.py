"""One-off conversions of published checkpoints to folders that the worker loads."""
