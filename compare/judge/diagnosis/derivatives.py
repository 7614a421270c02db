"""An activation's gradient with another slope: what people write in the place of the derivative.

Each is computed from what the module took, x, gave, y, and was sent, dy, as the reference has them.
"""

from collections.abc import Callable, Mapping

import numpy as np

from twofold.compare.judge.evidence.trial import Trial
from twofold.scratch.module import Array

Slope = Callable[[Array, Array], Array]


def logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


# By the class of scratch's module: slopes that are not its own, as they are written and as they are computed.
SLOPES: Mapping[str, Mapping[str, Slope]] = {
    "Tanh": {
        "1 - x^2": lambda x, y: 1 - x * x,
        "1 - tanh(y)^2": lambda x, y: 1 - np.tanh(y) ** 2,
        "1 - y": lambda x, y: 1 - y,
        "1 - |y|": lambda x, y: 1 - np.abs(y),
        "1 + y^2": lambda x, y: 1 + y * y,
        "y (1 - y)": lambda x, y: y * (1 - y),
        "y": lambda x, y: y,
        "1": lambda x, y: np.ones_like(y),
    },
    "Sigmoid": {
        "x (1 - x)": lambda x, y: x * (1 - x),
        "sigmoid(y) (1 - sigmoid(y))": lambda x, y: logistic(y) * (1 - logistic(y)),
        "y": lambda x, y: y,
        "1 - y": lambda x, y: 1 - y,
        "1 - y^2": lambda x, y: 1 - y * y,
        "y^2": lambda x, y: y * y,
        "y (1 + y)": lambda x, y: y * (1 + y),
        "1": lambda x, y: np.ones_like(y),
    },
    "ReLU": {
        "y": lambda x, y: y,
        "x": lambda x, y: x,
        "1": lambda x, y: np.ones_like(y),
        "[x < 0]": lambda x, y: (x < 0).astype(x.dtype),
    },
    "LeakyReLU": {
        "[x > 0]": lambda x, y: (x > 0).astype(x.dtype),
        "y": lambda x, y: y,
        "1": lambda x, y: np.ones_like(y),
    },
}


def slopes(trial: Trial, path: str, call: str) -> dict[str, Array]:
    """What one call of an activation would send back with each other slope, "dy (1 - y)"."""
    module = dict(trial.scratch().model.named_modules()).get("" if path == trial.case.name else path)
    kinds = [kind.__name__ for kind in type(module).__mro__]
    known = next((SLOPES[kind] for kind in kinds if kind in SLOPES), {})
    golden = trial.golden
    if not known or call not in golden["forward"]:
        return {}
    x, dy = golden["input"].get(call, trial.inputs[0]), golden["backward"].get(call, trial.cotangents)
    y = golden["forward"][call]
    return {f"dy ({told})": dy * slope(x, y) for told, slope in known.items()}
