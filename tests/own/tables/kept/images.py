"""Convolutions and attention: their arrays, the ways in which these may be kept, and mistakes."""

from typing import Any

from tests.own.tables.kept.owner import Faults, Owner, Slots, keyed, no_gradients, only, returned


def nested(weights: Any) -> Slots:
    found: Slots = {"wte": (weights["wte"], "weight"), "wpe": (weights["wpe"], "weight")}
    for n, block in enumerate(weights["h"]):
        for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"):
            holder = block
            for key in part.split("."):
                holder = holder[key]
            short = part.replace(".", "_")
            found |= {f"{short}_w{n}": (holder, "weight"), f"{short}_b{n}": (holder, "bias")}
    return found | {"ln_f_w": (weights["ln_f"], "weight"), "ln_f_b": (weights["ln_f"], "bias")}


def nested_torch() -> dict[str, str]:
    found = {"wte.weight": "wte", "wpe.weight": "wpe", "ln_f.weight": "ln_f_w", "ln_f.bias": "ln_f_b"}
    for n in range(2):
        for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"):
            short, transposed = part.replace(".", "_"), "" if part.startswith("ln") else ".T"
            found |= {f"h.{n}.{part}.weight": f"{short}_w{n}{transposed}", f"h.{n}.{part}.bias": f"{short}_b{n}"}
    return found


BLOCK = ["ln_1", "attn_c_attn", "attn_c_proj", "ln_2", "mlp_c_fc", "mlp_c_proj"]


def checkpoint(attention: str, projection: str) -> str:
    """A checkpoint's arrays by number, from the last to the first; q, k, v and the square projection as said."""
    found = {"m0": "ln_f_b", "m1": "wpe", "m2": "wte", "m3": "ln_f_w"}
    for n in (1, 0):
        for part in reversed(BLOCK):
            text = attention if part == "attn_c_attn" else projection if part == "attn_c_proj" else "{}"
            found[f"m{len(found)}"] = (attention if part == "attn_c_attn" else "{}").format(f"{part}_b{n}")
            found[f"m{len(found)}"] = text.format(f"{part}_w{n}")
    return "; ".join(f"{name} {text}" for name, text in found.items())


CHECKPOINTS = {
    "shuffled": checkpoint("{}", "{}"),
    "square-transposed": checkpoint("{}", "{}.T"),
    "kvq": checkpoint("concatenate([{0}[..., 6:12], {0}[..., 12:], {0}[..., :6]], axis=-1)", "{}"),
}


OWNERS: dict[str, Owner] = {
    "nhwc-conv": Owner(
        4,
        "nhwc_conv",
        "call_net",
        lambda p: keyed(p.held("parameters"), "W1 b1 W2 b2"),
        returned(1, "d"),
        {"conv.weight": "W1.transpose(3, 2, 0, 1)", "conv.bias": "b1.ravel()", "fc.weight": "W2.T", "fc.bias": "b2"},
    ),
    "cnn-blog": Owner(
        15,
        "cnn_blog",
        "call",
        lambda p: {
            "filters": (p.keywords["params"][0], "filters"),
            "weights": (p.keywords["params"][1], "weights"),
            "biases": (p.keywords["params"][1], "biases"),
        },
        no_gradients,
        {"conv.weight": "filters[:, None]", "fc.weight": "weights.T", "fc.bias": "biases"},
    ),
    "attention-layer": Owner(
        23,
        "attention_layer",
        "call",
        lambda p: keyed(p.keywords["params"], "K Q V O"),
        only(lambda p: {name: getattr(p.keywords["params"], f"grad_{name}") for name in "KQVO"}),
        {f"{name}.weight": f"{name}.T" for name in "KQVO"},
        pair=True,
    ),
    "nested-checkpoint": Owner(
        23, "nested_checkpoint", "call", lambda p: nested(p.keywords["params"]), no_gradients, nested_torch()
    ),
}

WAYS: dict[str, dict[str, dict[str, str]]] = {
    "nhwc-conv": {
        "shuffled": "p0 b2; q7 W2; r2 b1; s5 W1",
        "oihw": "p0 W2.T; q7 b2; r2 W1.transpose(3, 2, 0, 1); s5 b1.ravel()",
        "ohwi": "p0 W1.transpose(3, 0, 1, 2); q7 b1.reshape(3, 1); r2 W2.T; s5 b2",
        "flipped": "p0 b1.ravel(); q7 W1[::-1, ::-1]; r2 W2; s5 b2",
        "im2col": "p0 W2; q7 W1.reshape(18, 3); r2 b1.ravel(); s5 b2",
        "im2col-channels-first": "p0 W2; q7 W1.transpose(3, 2, 0, 1).reshape(3, 18); r2 b1.ravel(); s5 b2",
        "flattened-chw": "p0 W1; q7 b1; r2 b2; s5 W2.reshape(2, 2, 3, 2).transpose(2, 0, 1, 3).reshape(12, 2)",
    },
    "cnn-blog": {
        "shuffled": "p0 biases; q7 weights.T; r2 filters",
        "channels-last": "p0 filters.transpose(1, 2, 0); q7 weights; r2 biases.reshape(1, -1)",
        "flipped": "p0 weights; q7 filters[:, ::-1, ::-1]; r2 biases",
    },
    "attention-layer": {
        "shuffled": "p0 V; q7 O; r2 Q; s5 K",
        "lying": "K Q; Q V; V K; O O",
        "transposed": "p0 O.T; q7 V.T; r2 K.T; s5 Q.T",
        "fused-vkq": "W hstack([V, K, Q]); O O",
        "fused-qkv": "p0 O.T; q7 hstack([Q, K, V]).T",
    },
    "nested-checkpoint": CHECKPOINTS,
}

FAULTS: dict[str, Faults] = {
    "nhwc-conv": {
        "pool-stride": ({"left = h * stride, w * stride": "left = h, w"}, "backward: stride ignored"),
        "bias-per-tap": (
            {"W[:, :, :, c]) + b[0, 0, 0, c]": "W[:, :, :, c] + b[0, 0, 0, c])"},
            "forward: bias added once per tap",
        ),
    },
    "cnn-blog": {
        "ties": ({"region.max() and not found": "region.max()"}, "backward: ties counted twice"),
        "dropped": ({"return self.last_output\n": "return output\n"}, "forward: result of an activation dropped"),
    },
    "attention-layer": {
        "scale": ({"        d_scores = d_scores / self.scale\n": ""}, "backward: a factor forgotten"),
        "unscaled": ({"(0, 2, 1) / self.scale)": "(0, 2, 1))"}, "forward: a factor forgotten"),
    },
    "nested-checkpoint": {
        "mask": ({"np.sqrt(q.shape[-1]) + mask": "np.sqrt(q.shape[-1])"}, "forward: no causal mask", "open"),
        "scale": ({"np.sqrt(q.shape[-1])": "q.shape[-1]"}, "forward: scaled without a root", "open"),
        "residual": ({"x = x + mha": "x = mha"}, "forward: a path forgotten", "open"),
    },
}
