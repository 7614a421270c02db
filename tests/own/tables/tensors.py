"""Styles 10, 19, 21, 22, 24 and 25: tensors and scalars that hold their gradients, layer norm, kernels."""

from tests.own.case import Truth, right, wrong


def with_g(name: str, edits: dict[str, str], *rest, **more) -> Truth:
    return wrong(f"tensors-with-g:{name}", 10, "tensors_with_g", edits, *rest, **more)


def mlp(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"small-mlp:{name}", 19, "small_mlp", {old: new}, *rest, **more)


def scalar(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"scalars:{name}", 21, "scalars", {old: new}, *rest, **more)


def tensor(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"autograd-tensors:{name}", 22, "autograd_tensors", {old: new}, *rest, **more)


def norm(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"layer-norm:{name}", 24, "layer_norm", {old: new}, *rest, **more)


def kernel(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"kernels:{name}", 25, "kernels", {old: new}, *rest, **more)


INPUT = ("x", "input")
BROADCAST = {"(output.squeeze(-1) - targ)": "(output - targ)"}
BROADCAST_BACK = {"(inp.squeeze(-1) - targ).unsqueeze(-1)": "(inp - targ).mean(1, keepdim=True)"}
TANH = "        dprehidden = dhidden * (1 - hidden**2)\n"
TANH_IN_PLACE = "        hidden *= -hidden\n        hidden += 1\n        dprehidden = dhidden * hidden\n"
PLAIN_END = "    return x * rstd * w\n\n\nclass Swish"
MODULE, SQUARE, DOUBLED = {"call": "call_module"}, {"call": "call_square"}, {"call": "call_doubled"}
UNBIASED = "(xshift**2).sum(axis=-1, keepdims=True) / (x.shape[-1] - 1)"

TABLE = (
    right("tensors-with-g", 10, "tensors_with_g"),
    with_g("factor", {"2.0 * (inp": "(inp"}, "backward: factor of the square forgotten"),
    with_g("mask", {"(inp > 0)": "(out > 0)"}, "backward: ReLU mask of the shifted output"),
    with_g("bias-mean", {"out.g.sum(0)": "out.g.mean(0)"}, "backward: mean of a bias gradient"),
    with_g("broadcast-line", BROADCAST, "loss: (N, 1) less (N,)"),
    with_g("broadcast", BROADCAST | BROADCAST_BACK, "convention: (N, 1) less (N,)", side="conventions"),
    right("small-mlp", 19, "small_mlp"),
    right("small-mlp-pair", 19, "small_mlp", "call_pair"),
    mlp("repeated", "np.add.at(dwte, idx, demb)", "dwte[idx] += demb", "backward: repeated indices lost", ("wte",)),
    mlp("tanh", "1 - hidden**2", "1 - hidden", "backward: a square forgotten"),
    mlp("twice-mean", "dlogits / len(targets)", "dlogits / len(targets) ** 2", "backward: divided by the batch twice"),
    mlp("cache", TANH, TANH_IN_PLACE, "contract: cache overwritten", call="call_pair"),
    right("scalars", 21, "scalars"),
    scalar("tanh", "1 - out.data**2", "1 - out.data", "backward: a square forgotten", ("1",)),
    scalar("overwritten", "self.grad += other.data", "self.grad = other.data", "backward: overwritten for added"),
    scalar("added", "            value.grad = 0.0\n", "            pass\n", "contract: gradients add up"),
    right("autograd-tensors", 22, "autograd_tensors"),
    tensor(
        "bias-mean", "grad = grad.sum(axis=0)", "grad = grad.mean(axis=0)", "backward: mean of a bias gradient", ("b",)
    ),
    tensor("overwritten", "parent.grad + unbroad", "unbroad", "backward: overwritten for added", ("1",)),
    tensor("axis", "* g.sum(axis=1", "* g.sum(axis=0", "backward: softmax along a wrong axis"),
    tensor("no-mean", "= -g / len(labels)", "= -g", "backward: not divided by the batch size"),
    right("layer-norm", 24, "layer_norm"),
    norm("mean", " - norm * (dnorm * norm).mean(axis=-1, keepdims=True)", "", "backward: half of a path", INPUT),
    norm("of-what", "(dout * norm).sum", "(dout * x).sum", "backward: input for normalised input", ("w", "0")),
    norm(
        "unbiased", "(xshift**2).mean(axis=-1, keepdims=True)", UNBIASED, "forward: unbiased variance, backward biased"
    ),
    norm("eps", "eps = 1e-5", "eps = 1e-3", "convention: eps of a norm", side="conventions"),
    right("kernels", 25, "kernels"),
    right("kernels-doubled", 25, "kernels", "call_doubled"),
    right("kernels-module", 25, "kernels", "call_module"),
    right("kernels-square", 25, "kernels", "call_square"),
    kernel("mean", " - xhat * (dxhat * xhat).mean(-1, keepdim=True)", "", "backward: half of a path", INPUT),
    kernel(
        "weight-mean", "flatten(0, -2).sum(0)", "flatten(0, -2).mean(0)", "backward: mean of a gradient", ("w", "1")
    ),
    kernel("none", "return dx, dw, None", "return dx, None, None", "backward: None returned", ("w", "1")),
    kernel("in-place", "xhat = x * rstd\n", "xhat = x.mul_(rstd)\n", "contract: input changed in place"),
    kernel("swish", "gate * (1 + x * (1 - gate))", "gate * (1 - gate)", "backward: half of a derivative", **MODULE),
    kernel(
        "transpose",
        "grad_output @ weight",
        "grad_output @ weight.t()",
        "backward: transpose forgotten",
        INPUT,
        **SQUARE,
    ),
    kernel(
        "reference-backward", "return 2 * grad", "return grad", "reference: wrong backward", (), "reference", **DOUBLED
    ),
    kernel(
        "reference-detach",
        PLAIN_END,
        PLAIN_END.replace("rstd", "rstd.detach()"),
        "reference: a stray detach",
        INPUT,
        "reference",
    ),
)
