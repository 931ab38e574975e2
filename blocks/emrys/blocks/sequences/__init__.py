"""Sequence transforms: inputs, targets and masks for next-item and masked-item prediction."""
