"""The contracts of losses, by kind."""

from typing import Any

import numpy as np

from tests.scratch.contracts.layers import HUGE, INTEGERS, SPECIAL, values
from tests.scratch.contracts.sides import Contract, drawn

CLASSIFYING = ("CrossEntropyLoss", "SoftmaxBCELoss", "MultiClassHingeLoss")
COMPARING = ("MSELoss", "HalfMSELoss")
REDUCTIONS = ("mean", "sum", "none")
LABELS = np.array([0, 3, 1, 3, 2])


def case(loss: str, x: Any, target: Any, **more: Any) -> Contract:
    change = more.pop("change", {})
    return Contract(loss, change, (x, target), **more)


def reductions(loss: str) -> list[dict[str, str]]:
    return [{"reduction": kind} for kind in REDUCTIONS] if loss != "MultiClassHingeLoss" else [{}]


def labels() -> list[Contract]:
    """Classes of each width, out of range, of other shapes, as floats, booleans and lists."""
    x, rows = values(5, 4), []
    floats, one_hot = LABELS.astype("float32"), np.eye(4, dtype="float32")[LABELS]
    for loss in CLASSIFYING:
        for change in reductions(loss):
            rows += [case(loss, x, LABELS.astype(dtype), change=change) for dtype in INTEGERS]
            rows += [case(loss, x, wrong, change=change) for wrong in (floats, one_hot, LABELS.tolist(), LABELS > 1)]
        for wrong in (-1, 4, 255, 2**31):
            bad = LABELS.copy()
            bad[2] = wrong
            rows.append(case(loss, x, bad))
        rows += [case(loss, x, LABELS[:, None]), case(loss, x, LABELS[None]), case(loss, x, LABELS[:1])]
        rows += [case(loss, x, LABELS[:4]), case(loss, x, np.array(2)), case(loss, x, np.int64(2)), case(loss, x, 2)]
        rows += [case(loss, x[0], np.array(2)), case(loss, x[0], LABELS[:1]), case(loss, x[:1], LABELS[:1])]
        rows += [case(loss, values(5), LABELS), case(loss, values(5, 4, 2), np.stack([LABELS] * 2, axis=1))]
        rows += [case(loss, values(5, 1), 0 * LABELS), case(loss, values(5, 0), LABELS), case(loss, x, None)]
        rows += [case(loss, x.astype(kind), LABELS) for kind in (*INTEGERS, "float16", "float64", "complex64")]
        rows += [case(loss, x.tolist(), LABELS), case(loss, None, LABELS)]
        for change in reductions(loss):
            rows += [case(loss, values(0, 4), LABELS[:0], change=change)]
            shape = (5,) if change == {"reduction": "none"} else ()
            for dout in ((), (1,), (5,), (5, 1), (1, 5), (4,)):
                rows += [case(loss, x, LABELS, change=change, dout=np.full(dout, 2, np.float32))]
            rows += [case(loss, x, LABELS, change=change, dout=drawn("dout", shape, "float64"))]
    return rows


def targets() -> list[Contract]:
    """Targets of the input's shape, of those that broadcast to it, of other dtypes, and no entries at all."""
    x, y, rows = values(5, 3), drawn("y", (5, 3), "float32"), []
    for loss in COMPARING:
        for change in reductions(loss):
            rows += [case(loss, x.astype(of), y.astype(of), change=change) for of in (*INTEGERS, "float16", "float64")]
            rows += [case(loss, x, y.astype(of), change=change) for of in (*INTEGERS, "float16", "float64")]
            for shape in ((0, 3), (5, 0), (0,), (3,), (), (2, 3, 4, 5)):
                rows += [case(loss, values(*shape), drawn("y", shape, "float32"), change=change)]
            shape = (5, 3) if change == {"reduction": "none"} else ()
            for dout in ((), (1,), (5, 3), (3,), (5, 1), (3, 5), (15,)):
                rows += [case(loss, x, y, change=change, dout=np.full(dout, 2, np.float32))]
            rows += [case(loss, x, y, change=change, dout=drawn("dout", shape, "float64"))]
        for shape in ((5,), (3,), (1, 3), (5, 1), (), (1,), (3, 5), (15,), (1, 5, 3)):
            rows += [case(loss, x, np.ones(shape, np.float32)), case(loss, np.ones(shape, np.float32), y)]
        rows += [case(loss, x, y.tolist()), case(loss, x.tolist(), y), case(loss, x, 0.5), case(loss, x, None)]
        rows += [case(loss, np.float32(2), np.float32(3))]
    return rows


def autoencoder() -> list[Contract]:
    out, target, rows = np.full((5, 7), 0.25, np.float32), values(5, 4), []
    for wrong in ((5, 4), (5, 7), (5, 8), (1, 4), (5, 1), (5,), (4,), (4, 5), (5, 4, 1), (0, 4)):
        rows.append(case("SparseAutoencoderLoss", out, values(*wrong)))
    rows += [case("SparseAutoencoderLoss", out[:0], target[:0]), case("SparseAutoencoderLoss", out[0], target[0])]
    for beta, rho in ((0.3, 0.2), (0, 0.2), (0.3, 0.5), (0.3, 0), (0.3, 1), (0.3, -0.1), (0.3, 1.5)):
        rows += [case("SparseAutoencoderLoss", out, target, change={"beta": beta, "rho": rho})]
    rows += [case("SparseAutoencoderLoss", out.astype(of), target.astype(of)) for of in (*INTEGERS, "float64")]
    rows += [case("SparseAutoencoderLoss", out, target.astype("float64")), case("SparseAutoencoderLoss", out, None)]
    rows += [case("SparseAutoencoderLoss", out, target, dout=np.ones(of, np.float32)) for of in ((1,), (5,), (5, 7))]
    return rows


def special() -> list[Contract]:
    """NaN, infinities and large numbers, in logits, targets and what is sent back."""
    rows = []
    for loss in (*CLASSIFYING, *COMPARING):
        target = LABELS if loss in CLASSIFYING else drawn("y", (5, 4), "float32")
        loose = loss in ("CrossEntropyLoss", "SoftmaxBCELoss")
        for value in (*SPECIAL, *HUGE):
            x, dout = values(5, 4), drawn("dout", (5, 4) if loss in COMPARING else (5,), "float32")
            x[[0, 3], [1, 3]] = value
            dout.reshape(-1)[1] = value
            rows.append(case(loss, x, target, name=f"{loss} of {value}", loose=loose))
            if loss in COMPARING:
                rows.append(case(loss, target, x, name=f"{loss}, a target of {value}"))
            if loose and value in HUGE:
                continue  # the sum's order decides whether it overflows
            sent = {"dout": np.float32(value), "loose": loose, "name": f"{loss} is sent {value}"}
            rows.append(case(loss, values(5, 4), target, **sent))
            if loss != "MultiClassHingeLoss" and value not in HUGE:  # twice of them overflows
                each = {"change": {"reduction": "none"}, "dout": dout, "loose": loose}
                rows.append(case(loss, x, target, name=f"{loss}, each, {value}", **each))
    return rows


def arguments() -> list[Contract]:
    """Reductions and their like."""
    rows = []
    for loss in (*CLASSIFYING[:2], *COMPARING):
        target = LABELS if loss in CLASSIFYING else drawn("y", (5, 4), "float32")
        for reduction in (*REDUCTIONS, "average", "MEAN", None, 1, True):
            rows += [case(loss, values(5, 4), target, change={"reduction": reduction})]
    return rows


KINDS = {kind.__name__: kind for kind in (labels, targets, autoencoder, special, arguments)}
