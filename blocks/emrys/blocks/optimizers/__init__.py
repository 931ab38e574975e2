"""Optimizers whose steps touch the rows of a batch, and one made of several."""
