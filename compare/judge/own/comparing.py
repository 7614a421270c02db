"""The battery over a pair that is not ours, and the verdict on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.floor import judge
from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.own.bout import Bout, Draw, Tensors, failed, random_draw
from twofold.compare.judge.own.call import Call, settled_call
from twofold.compare.judge.own.kernels import as_pair, is_kernel, strided
from twofold.compare.judge.own.contract import (
    Breach,
    as_integers,
    first_call,
    kept_parameters,
    line_of,
    repeats,
    shown,
    text_of,
)
from twofold.compare.judge.own.kinks import clear_of_kinks
from twofold.compare.judge.own.preparing import enter_mode, is_explicit, prepared, with_data
from twofold.compare.judge.own.telling import told_different, told_same, told_undecided, told_unequal
from twofold.compare.judge.own.verdict import BadCall, Verdict
from twofold.compare.sides.foreign.calls import Raw
from twofold.compare.sides.foreign.data import redrawn
from twofold.scratch.module import Array


@dataclass
class Compared:
    """One draw in one dtype: what both sides gave, and what was judged."""

    dtype: str
    one: Draw
    actual: Tensors
    golden: Tensors
    quantities: dict[str, Quantity]
    training: bool | None = None  # the mode, where both were entered
    coarse: bool = False  # judged by the floor of float32, which the code computes in

    @property
    def failed(self) -> list[str]:
        return failed(self.quantities)


@dataclass
class Record:
    """All that was found, for the verdict and what is told of it."""

    call: Call
    bout: Bout
    compared: list[Compared] = field(default_factory=list)
    breach: Breach | None = None
    notes: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    training: Any = None

    @property
    def explicit(self) -> bool:
        """Whether every parameter was meant by the user, who gave them one by one."""
        return is_explicit(self.call.params)

    @property
    def failing(self) -> Compared | None:
        """The first that fails, float64 before float32 and random parameters before the user's own."""
        return next((one for one in self.compared if one.failed), None)


def verdict_on(call: Call) -> Verdict:
    call = as_pair(call) if is_kernel(call.scratch, call.data) else settled_call(call)
    bout, one = prepared(call)
    record = Record(call, bout)
    raw, record.breach = locked_call(bout, one)
    if raw is None:
        assert record.breach is not None
        return told_different(record)
    changed = kept_parameters(bout, one, raw)
    if changed:
        raise BadCall(
            f"scratch changes its own parameters ({', '.join(changed[:3])}): pass what updates them as step=, with "
            "optimizer=lambda p: torch.optim.SGD(p, lr=...), and as scratch what only gives outputs or loss"
        )
    draws = drawn(bout, call, one, record)
    if record.breach is None:
        record.breach = repeats(bout, one, draws[1] if len(draws) > 1 else None, raw)
    if record.breach is not None and record.breach.side is None:
        return told_undecided(record)
    if record.breach is None:
        record.breach = as_integers(bout, one, bout.of_raw(raw))
    if call.kernel:
        record.breach = record.breach or strided(bout, one)
    for training in (True,) if call.modes is None else (True, False):
        if call.modes is not None:
            enter_mode(bout, call, training)
            draws = [replace(d, label=f"{d.label}, {'training' if training else 'evaluation'}") for d in draws]
        for dtype in call.dtypes:
            for draw in draws:
                compare(record, draw, dtype)
    if record.failing is not None and record.failing.training is not None:
        enter_mode(bout, call, record.failing.training)
    if record.breach is not None or record.failing is not None:
        return told_different(record)
    if call.step is not None:
        from twofold.compare.judge.own.steps import trained

        if (verdict := trained(record, one)) is not None:
            return verdict
    return told_unequal(record) or told_same(record)


def locked_call(bout: Bout, one: Draw) -> tuple[Raw | None, Breach | None]:
    """The first call; code that raises where its own parameters do not is told by its line."""
    try:
        return first_call(bout, one, "float64")
    except Exception as error:
        place = line_of(error)
        cause = f"it raises {type(error).__name__}: {' '.join(str(error).split())[:120]}"
        seen = f"{place.file}:{place.line}   {text_of(error)}" if place.file else cause
        return None, Breach("scratch", "", cause, seen, place)


def drawn(bout: Bout, call: Call, one: Draw, record: Record) -> list[Draw]:
    """The user's data with random parameters, new data, and the user's own parameters."""
    rng = np.random.default_rng([call.seed, 17])
    found = [one]
    if all(way.text != "as given" for way in bout.pairing.ways):

        def new(n: int) -> Draw:
            data = tuple(redrawn(array, rng) for array in one.data)
            return with_data(random_draw(bout, data, "other data", call.seed + 1 + n), data, "other data")

        other = clear_of_kinks(bout, new)
        try:
            bout.call(other)
            found.append(other)
        except Exception as error:
            record.not_checked.append(f"other data: scratch raises {type(error).__name__} on them")
    own = {name: value.astype(float) for name, value in bout.foreign.read().items()}
    own |= {f"buffer {leaf.name}": leaf.read().astype(float) for leaf in bout.foreign.kept_buffers}
    if own and all(np.isfinite(value).all() for value in own.values()):
        shares = {name: np.zeros_like(value) for name, value in one.shares.items()}
        found.append(Draw("your own parameters", own, shares, one.data))
    return found


def compare(record: Record, one: Draw, dtype: str) -> None:
    """One draw judged in one dtype; what computes in float32 whatever it is given is held to that floor."""
    bout = record.bout
    try:
        raw = bout.call(one, dtype)
    except Exception as error:
        if record.breach is None and dtype == "float64":
            place = line_of(error)
            told = f"it raises {type(error).__name__}: {' '.join(str(error).split())[:100]}"
            record.breach = Breach("scratch", "", told, f"with {one.label}: {told}", place)
        else:
            record.not_checked.append(f"{dtype}: scratch raises {type(error).__name__} with it")
        return
    actual = bout.of_raw(raw)
    golden = bout.of_run(bout.golden(one))
    quantities = bout.compare(one, dtype, actual)
    compared = Compared(dtype, one, actual, golden, quantities, bout.training)
    if record.call.kernel:
        missing = {name: judge(name, None, golden[name], None, dtype) for name in golden if name not in actual}
        compared = replace(compared, quantities={**quantities, **missing})
    if dtype == "float64" and compared.failed and is_coarse(bout, one, raw, actual):
        compared = replace(compared, quantities=bout.compare(one, dtype, actual, "float32"), coarse=True)
    if compared.quantities:
        record.compared.append(compared)


def is_coarse(bout: Bout, one: Draw, raw: Raw, actual: Tensors) -> bool:
    """Whether the code computes in float32 though it was given float64: it does not follow moves that are smaller."""
    returned = [found for found in raw.found if found.source != "beside"]
    if any(found.dtype == "float32" and found.value.size > 1 for found in returned):
        return True
    rng = np.random.default_rng(19)
    directions = {name: value * rng.standard_normal(value.shape) for name, value in one.values.items()}

    def moved(size: float) -> Tensors:
        values = {name: value + size * directions[name] for name, value in one.values.items()}
        return bout.of_raw(bout.call(replace(one, values=values)))

    small, large = moved(1e-11), moved(1e-5)
    for name, value in actual.items():
        if name not in small or name not in large or small[name].shape != value.shape:
            continue
        follows, should = (small[name] - value) * 1e6, large[name] - value
        size = float(np.linalg.norm(should))
        if np.isfinite(size) and size > 0 and float(np.linalg.norm(follows - should)) > 0.3 * size:
            return True
    return False


def first_tensor(record: Record, compared: Compared) -> str:
    """The first that differs: an output, then the loss, then gradients as a backward pass meets them."""
    from twofold.compare.judge.own.who import order

    bad = compared.failed
    outputs = sorted(name for name in bad if name.startswith("output"))
    ranked = [*outputs, *(name for name in bad if name == "loss"), *order(record.bout, bad)]
    ranked += [name for name in bad if name.startswith("buffer ")]
    return ranked[0]


def grave(quantities: Mapping[str, Quantity]) -> list[str]:
    return [name for name, quantity in quantities.items() if quantity.verdict is Mark.VACUOUS]


def shown_all(bout: Bout, names: list[str]) -> str:
    return ", ".join(shown(bout, name) for name in names)


def size_of(array: Array) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0))
