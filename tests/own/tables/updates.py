"""Styles 20 and 26: a step with a velocity among the weights, and update rules against torch.optim."""

from tests.own.case import Truth, right, wrong


def homework(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"homework:{name}", 20, "homework", {old: new}, *rest, **more)


def rule(name: str, call: str, edits: dict[str, str], *rest, **more) -> Truth:
    return wrong(f"update-rules:{name}", 26, "update_rules", edits, *rest, call=call, **more)


CONVENTION = {"side": "conventions"}
MOMENTUM, RMSPROP, ADAM, ADAMW = "call_momentum", "call_rmsprop", "call_adam", "call_adamw"
BEFORE = "np.outer(below.mean(axis=0), delta.sum(axis=0))"
EXP = "(np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))"
VELOCITY = 'config["momentum"] * v - config["learning_rate"] * dw'
DAMPENED = 'config["momentum"] * v - (1 - config["momentum"]) * config["learning_rate"] * dw'
ROOT = '(np.sqrt(cache) + config["epsilon"])'
UNCORRECTED = {
    'm_hat = m / (1 - config["beta1"] ** t)': "m_hat = m",
    'v_hat = v / (1 - config["beta2"] ** t)': "v_hat = v",
}
STALE = {
    "self.params, self.lr, self": "self.lr, self",
    "= params, lr, betas": "= lr, betas",
    "        self.t = 0\n": "        self.t = 0\n        self.params = {k: p.copy() for k, p in params.items()}\n",
}

TABLE = (
    right("homework", 20, "homework"),
    right("homework-tree", 20, "homework", "call_tree"),
    right("homework-large", 20, "homework", "call_large"),
    homework("before", "below.T @ delta\n", f"{BEFORE}\n", "backward: averaged before the chain"),
    homework(
        "twice-mean", "(1 - out**2) / y.size", "(1 - out**2) / y.size / N", "backward: divided by the batch twice"
    ),
    homework("momentum", 'alpha * net[k]["dw"] - lr', '-alpha * net[k]["dw"] - lr', "update: momentum's sign"),
    homework("overflow", "return np.tanh(x)", f"return {EXP}", "nan: tanh of exponentials", call="call_large"),
    right("update-rules-momentum", 26, "update_rules", MOMENTUM),
    right("update-rules-rmsprop", 26, "update_rules", RMSPROP),
    right("update-rules-adam", 26, "update_rules", ADAM),
    right("update-rules-adamw", 26, "update_rules", ADAMW),
    rule("momentum", MOMENTUM, {VELOCITY: f"-{VELOCITY}"}, "update: momentum's sign"),
    rule("ascent", MOMENTUM, {"w + v": "w - v"}, "update: wrong sign"),
    rule("dampened", MOMENTUM, {VELOCITY: DAMPENED}, "convention: dampened momentum", **CONVENTION),
    rule(
        "inside", RMSPROP, {ROOT: 'np.sqrt(cache + config["epsilon"])'}, "convention: eps inside the root", **CONVENTION
    ),
    rule("no-eps", RMSPROP, {ROOT: "np.sqrt(cache)"}, "update: eps forgotten"),
    rule("no-square", RMSPROP, {"* dw**2": "* np.abs(dw)"}, "update: a square forgotten"),
    rule("uncorrected", ADAM, UNCORRECTED, "update: no bias correction"),
    rule("first", ADAM, {', config.get("t", 0) + 1': ", 1"}, "update: steps not counted"),
    rule("no-eps-adam", ADAM, {"(np.sqrt(v_hat) + 1e-8)": "np.sqrt(v_hat)"}, "update: eps forgotten"),
    rule("decoupled", ADAMW, {"optim.AdamW(p": "optim.Adam(p"}, "convention: decoupled weight decay", **CONVENTION),
    rule(
        "decay",
        ADAMW,
        {"1 - self.lr * self.weight_decay": "1 - self.weight_decay"},
        "convention: decay without its rate",
        side="conventions",
    ),
    rule("stale", ADAMW, STALE, "state: a stale copy of the parameters"),
)
