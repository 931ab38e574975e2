"""Blocks that make inputs, targets and masks of sequences."""
