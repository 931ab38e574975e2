"""Metrics that several steps share: ranking and classification metrics, slices and the bootstrap."""
