"""Pipelines of the steps: defining, compiling, running and submitting them, and the `emrys` command."""

from emrys.pipelines.cluster.submitting import submit

__all__ = ["submit"]
