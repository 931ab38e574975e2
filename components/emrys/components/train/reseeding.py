"""Random numbers that depend on the seed and the epoch alone."""

from __future__ import annotations

import keras
import numpy as np


def reseeding(model: keras.Model, seed: int) -> keras.callbacks.Callback:
    """Makes what a model draws in an epoch, for dropout, independent of what was drawn before.

    A `.keras` file does not hold the states of the random generators, so that a run that goes on would draw other
    numbers than one that was never interrupted.

    Args:
        model: The model that is trained.
        seed: Of the run, 0 or above.

    Returns:
        A callback for `fit`.
    """
    others = {id(variable) for variable in (*model.weights, *model.metrics_variables)}
    states = [variable for variable in model.variables if id(variable) not in others]

    def reseed(epoch: int, logs: object = None) -> None:
        for place, state in enumerate(states):
            state.assign(np.random.SeedSequence([seed, epoch, place]).generate_state(state.shape[0]))

    return keras.callbacks.LambdaCallback(on_epoch_begin=reseed)
