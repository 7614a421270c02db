"""Styles 4 and 15: convolutions by loops."""

from tests.own.case import Truth, right, wrong


def nhwc(name: str, edits: dict[str, str], *rest, **more) -> Truth:
    return wrong(f"nhwc-conv:{name}", 4, "nhwc_conv", edits, *rest, **more)


def blog(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"cnn-blog:{name}", 15, "cnn_blog", {old: new}, *rest, **more)


LAYER, NET = {"call": "call_layer"}, {"call": "call_net"}
REVERSED = {
    "patch * W[:, :, :, c])": "patch * W[::-1, ::-1, :, c])",
    "+= W[:, :, :, c] * dZ": "+= W[::-1, ::-1, :, c] * dZ",
    "dW[:, :, :, c] += padded": "dW[::-1, ::-1, :, c] += padded",
}
HALF_SUM = {
    "np.sum((out - Y) ** 2) / Y.size": "0.5 * np.sum((out - Y) ** 2)",
    "2 * (out - Y) / Y.size": "out - Y",
}

TABLE = (
    right("nhwc-conv-layer", 4, "nhwc_conv", "call_layer"),
    right("nhwc-conv-net", 4, "nhwc_conv", "call_net"),
    nhwc(
        "bias-per-tap",
        {"W[:, :, :, c]) + b[0, 0, 0, c]": "W[:, :, :, c] + b[0, 0, 0, c])"},
        "forward: bias added once per tap",
        **LAYER,
    ),
    nhwc("padding", {"pad:-pad, pad:-pad": ": -2 * pad, : -2 * pad"}, "backward: padding cut at one end", **LAYER),
    nhwc("flip", {"+= W[:, :, :, c]": "+= W[::-1, ::-1, :, c]"}, "backward: kernel reversed", **LAYER),
    nhwc("reversed", REVERSED, "convention: kernel reversed", side="conventions", **LAYER),
    nhwc(
        "pool-stride", {"left = h * stride, w * stride": "left = h, w"}, "backward: stride ignored", ("W1", "b1"), **NET
    ),
    nhwc("half-sum", HALF_SUM, "convention: half the sum against the mean", side="conventions", **NET),
    right("cnn-blog", 15, "cnn_blog"),
    blog("ties", "region.max() and not found", "region.max()", "backward: ties counted twice", ("filters",)),
    blog(
        "jacobian",
        "d_t = -exp[label] * exp / S**2",
        "d_t = np.zeros_like(exp)",
        "backward: diagonal of a Jacobian",
    ),
    blog("dropped", "return self.last_output\n", "return output\n", "forward: result of an activation dropped"),
    blog("twice", "self.biases -= learn", "self.biases -= 2 * learn", "update: one tensor twice", ("biases",)),
)
