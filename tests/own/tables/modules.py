"""Style 23, and styles beside the survey's, 0: attention, modules, one flat vector of parameters."""

from tests.own.case import Truth, right, wrong


def forward_only(name: str, old: str, new: str, kind: str) -> Truth:
    return wrong(f"nested-checkpoint:{name}", 23, "nested_checkpoint", {old: new}, kind, side="open")


def attention(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"attention-layer:{name}", 23, "attention_layer", {old: new}, *rest, **more)


def flat(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"flat-vector:{name}", 0, "flat_vector", {old: new}, *rest, **more)


def modules(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"modules:{name}", 0, "modules", {old: new}, *rest, **more)


INPUT = ("x", "input")
JACOBIAN = "(d_probs - (d_probs * self.probs).sum(axis=-1, keepdims=True))"
RELU = "self.fc1.backward(self.relu.backward(self.fc2.backward(dout)))"

TABLE = (
    right("nested-checkpoint", 23, "nested_checkpoint"),
    forward_only("mask", "np.sqrt(q.shape[-1]) + mask", "np.sqrt(q.shape[-1])", "forward: no causal mask"),
    forward_only("scale", "np.sqrt(q.shape[-1])", "q.shape[-1]", "forward: scaled without a root"),
    forward_only("residual", "x = x + mha", "x = mha", "forward: a path forgotten"),
    right("attention-layer", 23, "attention_layer"),
    attention(
        "jacobian", JACOBIAN, "d_probs * (1 - self.probs)", "backward: diagonal of a Jacobian", ("K", "Q", *INPUT)
    ),
    attention(
        "scale", "        d_scores = d_scores / self.scale\n", "", "backward: a factor forgotten", ("K", "Q", *INPUT)
    ),
    attention("path", " + d_v @ self.V.T", "", "backward: a path forgotten", INPUT),
    right("flat-vector", 0, "flat_vector"),
    flat("order", "(d2.T @ X).ravel()", "(X.T @ d2).ravel()", "backward: transposed", ("theta",)),
    flat("sigmoid", "a2 * (1 - a2)", "(1 - a2)", "backward: half of a derivative", ("theta",)),
    right("modules", 0, "modules"),
    modules(
        "of-what", "d2) * (1 - self.h1**2)", "d2) * (1 - self.h2**2)", "backward: derivative elsewhere", ("fc1", *INPUT)
    ),
    modules("bias-mean", "dout.sum(axis=0)", "dout.mean(axis=0)", "backward: mean of a bias gradient", ("bias",)),
    right("house-modules", 0, "house_modules"),
    wrong(
        "house-modules:relu",
        0,
        "house_modules",
        {RELU: "self.fc1.backward(self.fc2.backward(dout))"},
        "backward: an activation forgotten",
        ("fc1", *INPUT),
    ),
)
