"""The command `emrys`."""

from emrys.pipelines.cli.main import main

__all__ = ["main"]
