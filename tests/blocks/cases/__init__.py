"""Blocks of each family to try the shared check on: `CASES` by name, a factory and its inputs."""
