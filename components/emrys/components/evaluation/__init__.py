"""Evaluation room: ranking and classification metrics, slices, bootstrap, and the inputs of the evaluation steps."""
