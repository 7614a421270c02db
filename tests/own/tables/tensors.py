"""Styles 10, 21, 22, 24 and 25: tensors and scalars that hold their gradients, and kernels."""

from tests.own.case import Truth, right, wrong


def with_g(name: str, edits: dict[str, str], *rest, **more) -> Truth:
    return wrong(f"tensors-with-g:{name}", 10, "tensors_with_g", edits, *rest, **more)


BROADCAST = {"(output.squeeze(-1) - targ)": "(output - targ)"}
BROADCAST_BACK = {"(inp.squeeze(-1) - targ).unsqueeze(-1)": "(inp - targ).mean(1, keepdim=True)"}

TABLE = (
    right("tensors-with-g", 10, "tensors_with_g"),
    with_g("factor", {"2.0 * (inp": "(inp"}, "backward: factor of the square forgotten"),
    with_g("mask", {"(inp > 0)": "(out > 0)"}, "backward: ReLU mask of the shifted output"),
    with_g("bias-mean", {"out.g.sum(0)": "out.g.mean(0)"}, "backward: mean of a bias gradient"),
    with_g("broadcast-line", BROADCAST, "loss: (N, 1) less (N,)"),
    with_g("broadcast", BROADCAST | BROADCAST_BACK, "convention: (N, 1) less (N,)", side="conventions"),
)
