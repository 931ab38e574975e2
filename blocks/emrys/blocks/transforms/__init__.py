"""Layers that transform features, targets and predictions, most of them without weights."""
