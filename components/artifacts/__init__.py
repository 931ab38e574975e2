"""What passes between steps: one class per type of artifact, which owns the layout of its folder."""

from components.artifacts.base import Artifact

__all__ = ["Artifact"]
