"""Pipelines of the steps: defining, compiling and running them, and the `emrys` command."""
