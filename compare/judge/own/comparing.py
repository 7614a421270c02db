"""The battery over a pair that is not ours, and the verdict on it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from twofold.compare.judge.evidence.floor import judge
from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.own.call import Call, settled_call
from twofold.compare.judge.own.contract import (
    DRAWN,
    Breach,
    as_integers,
    first_call,
    kept_parameters,
    line_of,
    repeats,
    text_of,
)
from twofold.compare.judge.own.deciding.device import of_device, without_layout
from twofold.compare.judge.own.deciding.kinks import at_a_kink, both_are_slopes, clear_of_kinks
from twofold.compare.judge.own.gaps import forgotten
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors, random_draw
from twofold.compare.judge.own.meeting.kernels import as_pair, is_kernel, strided
from twofold.compare.judge.own.meeting.preparing import enter_mode, prepared
from twofold.compare.judge.own.record import Compared, Record
from twofold.compare.judge.own.rereading import read_again
from twofold.compare.judge.own.steps.trained import trained
from twofold.compare.judge.own.telling.different import told_breach, told_different
from twofold.compare.judge.own.telling.same import told_same, told_undecided, told_unequal
from twofold.compare.judge.own.telling.verdict import BadCall, Verdict
from twofold.compare.sides.foreign.calls import Raw
from twofold.compare.sides.foreign.data import redrawn


def verdict_on(call: Call) -> Verdict:
    """The contract first, then every tensor on every draw, then training."""
    call = as_pair(call) if is_kernel(call.scratch, call.data) else settled_call(call)
    bout, one = prepared(call)
    record = Record(call, bout)
    raw, breach = locked_call(bout, one)
    if raw is None:
        assert breach is not None
        return told_breach(record, breach)
    must_keep_parameters(bout, one, raw)
    if call.device != "cpu" and (found := of_device(record, one)) is not None:
        return told_undecided(record, found) if found.side is None else told_breach(record, found)
    draws = drawn(bout, call, one, record)
    breach = breach or contract(record, one, draws, raw)
    modes: list[bool | None] = [None] if call.modes is None else [True, False]
    if breach is not None and breach.side is None:
        if call.modes is None:
            return told_undecided(record, breach)
        record.not_checked.append(f"training mode: {breach.cause}")
        enter_mode(bout, call, False)
        modes, breach = [False], contract(record, one, draws, bout.call(one))
    for mode in modes:
        if mode is not None:
            enter_mode(bout, call, mode)
        for dtype in call.dtypes:
            for draw in draws:
                breach = compare(record, draw, dtype) or breach
    if breach is not None:
        return told_undecided(record, breach) if breach.side is None else told_breach(record, breach)
    if (failing := record.failing) is not None:
        if (asked := without_layout(record)) is not None:
            return told_undecided(record, asked)
        if failing.training is not None:
            enter_mode(bout, call, failing.training)
        return read_again(record, failing, told_different(record, failing), verdict_on)
    if (lacking := forgotten(record)) is not None:
        unsolved = lacking.side is None or bool(bout.pairing.parted)
        return told_undecided(record, lacking) if unsolved else told_breach(record, lacking)
    if call.step is not None and (verdict := trained(record, one)) is not None:
        return verdict
    return told_unequal(record) or told_same(record)


def must_keep_parameters(bout: Bout, one: Draw, raw: Raw) -> None:
    """Raises BadCall where the call itself is a training step."""
    if changed := kept_parameters(bout, one, raw):
        raise BadCall(
            f"scratch changes its own parameters ({', '.join(changed[:3])}): pass what updates them as step=, with "
            "optimizer=lambda p: torch.optim.SGD(p, lr=...), and as scratch what only gives outputs or loss"
        )


def contract(record: Record, one: Draw, draws: list[Draw], raw: Raw) -> Breach | None:
    """What may not be done, beside writing to what is given."""
    bout = record.bout
    found = repeats(bout, one, draws[1] if len(draws) > 1 else None, raw)
    if found is not None and found.cause.startswith(DRAWN) and bout.explained(one):
        record.not_checked.append("random numbers but masks: dropout's were read off scratch's arrays, for torch's")
        found = None
    found = found or as_integers(bout, one, bout.of_raw(raw))
    return found or (strided(bout, one) if record.call.kernel else None)


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
            return random_draw(bout, data, "other data", call.seed + 1 + n)

        other = clear_of_kinks(bout, new)
        try:
            bout.call(other)
            found.append(other)
        except Exception as error:
            record.not_checked.append(f"other data: scratch raises {type(error).__name__} on them")
    own = {name: value.astype(float) for name, value in bout.foreign.read().items()}
    own |= bout.unmatched()
    own |= {f"buffer {leaf.name}": leaf.read().astype(float) for leaf in bout.foreign.kept_buffers}
    if own and all(np.isfinite(value).all() for value in own.values()):
        shares = {name: np.zeros_like(value) for name, value in one.shares.items()}
        found.append(Draw("your own parameters", own, shares, one.data))
    return found


def compare(record: Record, one: Draw, dtype: str) -> Breach | None:
    """One draw judged in one dtype; what computes in float32 whatever it is given is held to that floor."""
    bout = record.bout
    try:
        raw = bout.call(one, dtype)
    except Exception as error:
        told = f"it raises {type(error).__name__}: {' '.join(str(error).split())[:100]}"
        if dtype == "float64":
            return Breach("scratch", "", told, f"with {one.label}: {text_of(error) or told}", line_of(error))
        record.not_checked.append(f"{dtype}: {told}")
        return None
    actual = bout.of_raw(raw)
    run = bout.golden(one)
    golden = bout.of_run(run)
    quantities = bout.compare(one, dtype, actual, golden)
    torchs = {f"d {name}": value for name, value in bout.pairing.layout.gradients(run.gradients).items()}
    compared = Compared(dtype, one, actual, golden, quantities, bout.training, torchs=torchs)
    if record.call.kernel:
        missing = {name: judge(name, None, golden[name], None, dtype) for name in golden if name not in actual}
        compared = replace(compared, quantities={**quantities, **missing})
    if dtype == "float64" and compared.failed and is_coarse(bout, one, raw, proven(actual, quantities)):
        compared = replace(compared, quantities=bout.compare(one, "float32", actual, golden), coarse=True)
    if one.label.startswith("your own") and compared.failed and all(n.startswith("d ") for n in compared.failed):
        compared = replace(compared, quantities=without_kinks(bout, compared))
    if compared.quantities:
        record.compared.append(compared)
    return None


def without_kinks(bout: Bout, compared: Compared) -> dict[str, Quantity]:
    """With the user's own parameters, which are not drawn away from kinks: slopes of either side are no fault."""
    if not at_a_kink(bout, compared.one):
        return compared.quantities
    reason = "a kink is met exactly, and both sides give a slope of it"
    return {
        name: replace(quantity, verdict=Mark.NOT_APPLICABLE, reason=reason)
        if name in compared.failed
        and both_are_slopes(bout, compared.one, name, compared.actual[name], compared.golden[name])
        else quantity
        for name, quantity in compared.quantities.items()
    }


def proven(tensors: Tensors, quantities: Mapping[str, Quantity]) -> Tensors:
    """Those that are more than rounding."""
    return {
        name: a for name, a in tensors.items() if name in quantities and quantities[name].verdict is not Mark.VACUOUS
    }


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
