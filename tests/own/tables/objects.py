"""Styles 8, 9 and 11 to 14: parameters and gradients in lists, dicts and attributes of layer objects."""

from tests.own.case import Truth, right, wrong


def lists(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"lists-biases-first:{name}", 8, "lists_biases_first", {old: new}, *rest, **more)


def nothing(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"layers-from-nothing:{name}", 9, "layers_from_nothing", {old: new}, *rest, **more)


def nnfs(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"nnfs-objects:{name}", 11, "nnfs_objects", {old: new}, *rest, **more)


def numpy_ml(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"numpy-ml:{name}", 12, "numpy_ml", {old: new}, *rest, **more)


def pairs(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"pairs-of-parameters:{name}", 13, "pairs_of_parameters", {old: new}, *rest, **more)


def inside(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"updated-inside:{name}", 14, "updated_inside", {old: new}, *rest, **more)


STEP = {"call": "call_step"}
SIGMOID = "y) * sigmoid_prime(zs[-1])"

TABLE = (
    right("lists-biases-first", 8, "lists_biases_first"),
    right("lists-biases-first-step", 8, "lists_biases_first", "call_step"),
    lists("sigmoid", SIGMOID, "y)", "backward: a derivative forgotten"),
    lists("of-what", "sigmoid_prime(zs[-i])", "sigmoid_prime(activations[-i])", "backward: derivative elsewhere"),
    lists("sign", "w - rate * nw", "w + rate * nw", "update: wrong sign", ("weights",), **STEP),
    lists("no-mean", "rate = eta / len(mini_batch)", "rate = eta", "update: not divided by the batch size", **STEP),
    right("layers-from-nothing", 9, "layers_from_nothing"),
    nothing("stale", "self.grads[0][...] = np", "self.grads[0] = np", "state: a stale list of references"),
    nothing("added", "self.grads[1][...] = np", "self.grads[1][...] += np", "contract: gradients add up"),
    nothing("sigmoid", "(1.0 - self.out) * self.out", "(1.0 - self.out)", "backward: half of a derivative"),
    nothing("twice-mean", "dout / len(self.t)", "dout / len(self.t) ** 2", "backward: divided by the batch twice"),
    right("nnfs-objects", 11, "nnfs_objects"),
    right("nnfs-objects-one-hot", 11, "nnfs_objects", "call_one_hot"),
    nnfs("mask", "dinputs[self.inputs <= 0]", "dinputs[dvalues <= 0]", "backward: ReLU mask of the gradient"),
    nnfs(
        "bias-mean",
        "np.sum(dvalues, axis=0",
        "np.mean(dvalues, axis=0",
        "backward: mean of a bias gradient",
        ("biases",),
    ),
    nnfs(
        "added",
        "self.dweights = np",
        'self.dweights = getattr(self, "dweights", 0) + np',
        "contract: gradients add up",
        ("weights",),
    ),
    nnfs("no-mean", "        self.dinputs = self.dinputs / samples\n", "", "backward: not divided by the batch size"),
    right("numpy-ml", 12, "numpy_ml"),
    numpy_ml("added", "np.zeros_like(value)\n        self.X", "value\n        self.X", "contract: nothing is flushed"),
    numpy_ml("tanh", "1 - np.tanh(Z) ** 2", "1 - np.tanh(Z)", "backward: a square forgotten"),
    numpy_ml("bias", "dZ.sum(axis=0", "dy.sum(axis=0", "backward: gradient after for before the activation", ("b",)),
    numpy_ml(
        "mean",
        '"loss": half_sum',
        '"loss": nn.MSELoss()',
        "convention: half a sum, a mean",
        side="conventions",
    ),
    right("pairs-of-parameters", 13, "pairs_of_parameters"),
    right("pairs-of-parameters-step", 13, "pairs_of_parameters", "call_step"),
    pairs("factor", "return 2 * (predicted", "return (predicted", "backward: factor of the square forgotten"),
    pairs("tanh", "1 - np.tanh(self.inputs) ** 2", "1 - self.inputs**2", "backward: derivative elsewhere"),
    pairs("mean", 'nn.MSELoss(reduction="sum")', "nn.MSELoss()", "convention: sum against mean", side="conventions"),
    pairs("sign", "param -= lr * grad", "param += lr * grad", "update: wrong sign", **STEP),
    pairs("twice", "param -= lr * grad", "param -= 2 * lr * grad", "update: twice", **STEP),
    right("updated-inside", 14, "updated_inside"),
    inside("updated", "accum_grad @ W.T", "accum_grad @ self.W.T", "backward: through the updated weight", ("W", "w0")),
    inside("bias-mean", "np.sum(accum_grad", "np.mean(accum_grad", "backward: mean of a bias gradient", ("w0",)),
    inside("slope", "self.layer_input >= 0, 1, 0.2", "self.layer_input >= 0, 1, 0.1", "backward: another slope"),
)
