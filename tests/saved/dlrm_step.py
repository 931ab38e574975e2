"""One step of Adam on the saved DLRM, in NumPy alone."""

from __future__ import annotations

import keras
import numpy as np

#: The features of the interaction, in its order.
_FEATURES = ["continuous_projection", "country", "genres", "item_id", "user_id"]
_BOTTOM, _TOP, _HEAD = "bottom", "top", "head"
#: The weights, in the order of the model; the paths of dense layers count those of the process.
_WEIGHTS = [f"{name}/embeddings" for name in ("user_id", "country", "item_id", "genres")] + [
    f"{layer}/{weight}" for layer in (_BOTTOM, _TOP, _HEAD) for weight in ("kernel", "bias")
]


def outputs_after_a_step(model: keras.Model, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of `tests/saved/models/optimizer_Adam` before and after one more step of training, (B, 1) each.

    Args:
        model: Loaded from the file; read for its weights and for the state of its optimizer only.
        arrays: The batch of the file.
    """
    variables = dict(zip(_WEIGHTS, model.trainable_variables, strict=True))
    weights = {name: each.numpy().astype(float) for name, each in variables.items()}
    state = {each.name: each.numpy().astype(float) for each in model.optimizer.variables}
    lookups = {name: _lookup(arrays, name, len(weights[f"{name}/embeddings"])) for name in _FEATURES[1:]}
    numbers = np.concatenate([arrays["inputs|age"], arrays["inputs|price"]], axis=1)
    before, gradients = _forward_and_backward(weights, lookups, numbers, arrays["targets|click"])
    step = state["iteration"] + 1
    for name, gradient in gradients.items():
        slot = variables[name].path.replace("/", "_")
        momentum = 0.9 * state[f"{slot}_momentum"] + 0.1 * gradient
        velocity = 0.999 * state[f"{slot}_velocity"] + 0.001 * gradient**2
        rate = state["learning_rate"] * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weights[name] = weights[name] - rate * momentum / (np.sqrt(velocity) + 1e-7)
    after, _ = _forward_and_backward(weights, lookups, numbers, arrays["targets|click"])
    return before.astype("float32"), after.astype("float32")


def _lookup(arrays: dict[str, np.ndarray], name: str, size: int) -> np.ndarray:
    """The mean over a row's ids as a matrix (B, size) that the table is multiplied with: repeated ids add up in it."""
    if f"inputs|{name}" in arrays:
        rows = list(arrays[f"inputs|{name}"])
    else:
        rows = np.split(arrays[f"inputs|{name}#values"], np.cumsum(arrays[f"inputs|{name}#lengths"])[:-1])
    matrix = np.zeros((len(rows), size))
    for row, ids in enumerate(rows):
        for each in ids:
            matrix[row, each] += 1 / len(ids)
    return matrix


def _forward_and_backward(
    weights: dict[str, np.ndarray], lookups: dict[str, np.ndarray], numbers: np.ndarray, click: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The probabilities, and the gradient of the mean binary cross-entropy by weight."""
    bottom = np.maximum(numbers @ weights[f"{_BOTTOM}/kernel"] + weights[f"{_BOTTOM}/bias"], 0)
    vectors = np.stack([bottom, *(lookups[name] @ weights[f"{name}/embeddings"] for name in _FEATURES[1:])], axis=1)
    left, right = np.triu_indices(len(_FEATURES), k=1)
    pairs = np.sum(vectors[:, left] * vectors[:, right], axis=2)
    joined = np.concatenate([bottom, pairs], axis=1)
    top = np.maximum(joined @ weights[f"{_TOP}/kernel"] + weights[f"{_TOP}/bias"], 0)
    probability = 1 / (1 + np.exp(-(top @ weights[f"{_HEAD}/kernel"] + weights[f"{_HEAD}/bias"])))

    to_logit = (probability - click) / len(click)
    to_top = (to_logit @ weights[f"{_HEAD}/kernel"].T) * (top > 0)
    to_joined = to_top @ weights[f"{_TOP}/kernel"].T
    to_bottom, to_pairs = to_joined[:, : bottom.shape[1]], to_joined[:, bottom.shape[1] :]
    to_vectors = np.zeros_like(vectors)
    for pair, (i, j) in enumerate(zip(left, right, strict=True)):
        to_vectors[:, i] += to_pairs[:, [pair]] * vectors[:, j]
        to_vectors[:, j] += to_pairs[:, [pair]] * vectors[:, i]
    to_bottom = (to_bottom + to_vectors[:, 0]) * (bottom > 0)
    gradients = {
        f"{name}/embeddings": lookups[name].T @ to_vectors[:, number] for number, name in enumerate(_FEATURES) if number
    }
    for layer, inputs, gradient in ((_BOTTOM, numbers, to_bottom), (_TOP, joined, to_top), (_HEAD, top, to_logit)):
        gradients |= {f"{layer}/kernel": inputs.T @ gradient, f"{layer}/bias": gradient.sum(axis=0)}
    return probability, gradients
