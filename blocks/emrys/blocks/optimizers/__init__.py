"""Optimizers that update only the rows of a batch, and an optimizer composed of several."""
