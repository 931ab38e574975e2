"""The command `emrys`."""

from pipelines.cli.main import main

__all__ = ["main"]
