"""What a single step says of the gradients that it was taken with."""

from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.steps.runs import scratch_run


def learning_rate(bout: Bout, call: Call) -> float | None:
    """Of a plain SGD, whose first step shows the gradient; None of any other."""
    if call.optimizer is None:
        return None
    import torch

    made = call.optimizer(list(bout.reference.parameters.values())) if callable(call.optimizer) else call.optimizer
    if not isinstance(made, torch.optim.SGD):
        return None
    group = made.param_groups[0]
    return None if group["weight_decay"] or group["nesterov"] or group["maximize"] else float(group["lr"])


def gradients_of_step(bout: Bout, call: Call, one: Draw) -> Tensors:
    """What one step of plain SGD says of the gradients."""
    rate = learning_rate(bout, call)
    if not rate:
        return {}
    try:
        run = scratch_run(bout, call, one, "float64", [one.data])
    except Exception:  # told where the steps are judged
        return {}
    rows = bout.pairing.layout.in_rows
    return {
        f"d {leaf.name}": rows(leaf, (run.before[0][leaf.name] - run.after[0][leaf.name]) / rate)
        for leaf in bout.leaves
        if bout.pairing.layout.covered(leaf)
    }
