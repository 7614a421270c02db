"""A stranger's update rule or optimizer, judged against torch.optim."""

import inspect
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from twofold.compare.judge.diagnosis.formulae import near
from twofold.compare.judge.finding import Quantity, worst_by_name
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.rules import messages
from twofold.compare.judge.own.rules.calling.bags import Arrays, Unfit
from twofold.compare.judge.own.rules.calling.carried import is_global
from twofold.compare.judge.own.rules.calling.shapes import ALIKE, USUAL, Form, form_of, forms, moves, source_of
from twofold.compare.judge.own.rules.lines import parting_of_rule, placed
from twofold.compare.judge.own.rules.messages import Judged, Line
from twofold.compare.judge.own.rules.places import at, place_of, raised
from twofold.compare.judge.own.rules.runs import Tape, compared, drawn, first_bad, repeats, run
from twofold.compare.judge.own.rules.state import matched
from twofold.compare.judge.own.rules.torchs import Facts, Make, facts_of, maker, named, replay
from twofold.compare.judge.own.rules.why.causes import Cause, cause_of
from twofold.compare.judge.own.telling.reproducing import Evidence
from twofold.compare.judge.own.telling.verdict import BadCall, Guilt, Place, Verdict
from twofold.scratch.module import Array

DTYPES = ("float64", "float32")


def is_rule(reference: Any, data: Sequence[Any]) -> bool:
    """Whether a reference is an optimizer: a torch.optim class, an object of one, or a function that makes one."""
    import torch

    if len(data) or isinstance(reference, torch.nn.Module) or not callable(reference):
        return isinstance(reference, torch.optim.Optimizer) and not len(data)
    if isinstance(reference, type):
        return issubclass(reference, torch.optim.Optimizer)
    try:
        return isinstance(reference([torch.nn.Parameter(torch.zeros(2, 2))]), torch.optim.Optimizer)
    except Exception:
        return False


def judge_rule(
    scratch: Any, reference: Any, *, dtypes: Sequence[str] = DTYPES, seed: int = 0, watch: bool = True, **unused: Any
) -> Verdict:
    """The verdict on a rule, by torch's optimizer on the same gradients from the weights that scratch has.

    Raises BadCall where no way to call it moves a weight, or where the reference cannot be stepped.
    """
    if not dtypes or not set(dtypes) <= set(DTYPES):
        raise BadCall(f"expected dtypes of {', '.join(DTYPES)}, found {tuple(dtypes)}: write dtypes=('float64',)")
    with generators_kept():
        make = maker(reference)
        shapes, facts = known_facts(make)
        form = form_of(scratch, facts.options, shapes)
        verdict = verdict_on(form, facts, dtypes, seed, watch)
        if verdict.outcome == "different" and (alone := form_alone(scratch, form, facts)):
            other = verdict_on(alone, facts, dtypes, seed)
            if other.same:
                told = "an object for each tensor: one for all would count its steps once for every tensor, 2 a step"
                verdict = replace(other, lines=(("called", told), *other.lines[1:]))
    return replace(verdict, pair=f"{source_of(scratch)} and {str(facts).partition('(')[0]}")


@contextmanager
def generators_kept() -> Iterator[None]:
    """Whatever draws from a module's generators leaves them as they were."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  a user's own may be that
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])


def known_facts(make: Make) -> tuple[dict[str, tuple[int, ...]] | None, Facts]:
    """The shapes that the reference takes, None for the usual ones, and what it is."""
    error: Exception = ValueError()
    for shapes in (USUAL, ALIKE):
        try:
            facts = facts_of(make, shapes)
            nothing = {name: np.zeros(shape) for name, shape in shapes.items()}
            replay(make, [nothing], [nothing])
            return None if shapes is USUAL else shapes, facts
        except Exception as raised_here:
            error = raised_here
    raise BadCall(
        f"expected an optimizer whose step() needs nothing but dense gradients, found {raised(error)}; "
        "write reference=lambda params: torch.optim.Adam(params, lr=1e-3)"
    )


def form_alone(scratch: Any, form: Form, facts: Facts) -> Form | None:
    """The same with an object for each tensor, where the one for all keeps no array by itself."""
    if form.kind != "each" or not form.shared or any(one.role == "name" for one in form.manner.arguments):
        return None
    if is_global(form.make()):
        return None
    weights, gradients = drawn(facts.make, form.shapes, "float64", 0)
    tape = run(form, weights, gradients[:2], "float64", False)
    if any(found.owner is None for step in tape.states for found in step):
        return None
    candidates = (one for one in forms(scratch, facts.options, []) if one.kind == "each" and not one.shared)
    return next((one for one in candidates if moves(one, []) == len(form.shapes)), None)


def verdict_on(form: Form, facts: Facts, dtypes: Sequence[str], seed: int, watch: bool = False) -> Verdict:
    """What is said of a form; of a difference the line too where lines are watched."""
    all_judged: list[Judged] = []
    wrote: Verdict | None = None
    for dtype in dtypes:
        weights, gradients = drawn(facts.make, form.shapes, dtype, seed)
        tape = run(form, weights, gradients, dtype, locked=True)
        if locked := read_only(tape.error):
            place, step = locked, len(tape.left) + 1
            tape = run(form, weights, gradients, dtype, locked=False)
            if tape.wrote and wrote is None:
                wrote = writes(form, tape.wrote[0], replace(place, step=step), facts)
        if tape.error is not None:
            return stops(form, tape, facts)
        if tape.copied:
            return moves_a_copy(form, tape, facts)
        again = run(form, weights, gradients, dtype, locked=False)
        if not equal(tape, again):
            if held := kept_by_class(form):
                return held
            return undecided(
                f"in {dtype} 2 runs from the same start differ, scratch keeps a state or draws anew: "
                "write scratch=lambda: ... that makes it from the start"
            )
        states: list[dict[str, Arrays]] = []
        golden = replay(facts.make, tape.before, tape.gradients, states=states)
        if not repeats(facts.make, tape, golden):
            return undecided(f"{facts} does not repeat itself on equal gradients, step 1 to {len(golden)}")
        floor = tape.coarsest if dtype == "float64" else dtype
        all_judged.append(Judged(tape, golden, compared(tape, golden, facts.make, floor, form), floor, states))
    bad = next((judged for judged in all_judged if first_bad(judged.steps)), None)
    quantities = tuple(worst_by_name(messages.named_rounds(all_judged)))
    if bad is not None:
        return differs(bad, form, facts, quantities, messages.notes_of(all_judged), wrote, watch)
    if wrote is not None:
        return replace(wrote, quantities=quantities)
    return strange(form, facts, seed, all_judged, quantities)


def kept_by_class(form: Form) -> Verdict | None:
    """A state that stands in the class: a new object begins with the old one's."""
    kind = type(form.make()) if form.made_of == "" else object
    held = [key for key, value in vars(kind).items() if key[:2] != "__" and isinstance(value, dict | list) and value]
    if not held:
        return None
    try:
        place = Place(inspect.getsourcefile(kind), inspect.getsourcelines(kind)[1], held[0])
    except (OSError, TypeError):  # typed in, not read from a file
        place = Place(name=held[0])
    cause = f"{kind.__name__}.{held[0]} stands in the class: each new object begins with the state of those before it"
    lines = (
        ("kept", f"{at(place)}: {cause}"),
        ("first", "step 1: 2 objects made one after the other differ on equal gradients"),
    )
    return Verdict("different", "scratch", held[0], place, cause, lines=lines, not_checked=messages.NOT_SEEN)


def equal(first: Tape, second: Tape) -> bool:
    return len(first.left) == len(second.left) and all(
        np.array_equal(a[name], b[name], equal_nan=True)
        for a, b in zip(first.left, second.left, strict=True)
        for name in a
    )


def read_only(error: Exception | None) -> Place | None:
    return place_of(error) if isinstance(error, ValueError) and "read-only" in str(error) else None


def undecided(cause: str) -> Verdict:
    return Verdict("undecided", cause=cause, not_checked=("everything: nothing could be decided",))


def writes(form: Form, name: str, place: Place, facts: Facts) -> Verdict:
    """A gradient is not the rule's own: what reads it afterwards would read another."""
    said = next((one.name for one in form.manner.arguments if one.role == "gradients"), "the gradient")
    lines = (
        (
            "writes",
            f"{at(place)} into {said}, the gradient of {form.name(name)}, in step {place.step}: it is given read-only",
        ),
        ("who", f"{facts} leaves gradients as they are; with copies all 2 tensors agree"),
    )
    cause = f"it writes into the gradient that it is given ({at(place)})"
    return Verdict("different", "scratch", said, place, cause, lines=lines, not_checked=messages.NOT_SEEN)


def moves_a_copy(form: Form, tape: Tape, facts: Facts) -> Verdict:
    """What a net computes with stays as it was: the optimizer has arrays of its own."""
    name = form.name(next(iter(form.shapes)))
    cause = f"it moves {tape.copied}, a copy of the parameters, and leaves those that it was made for as they were"
    lines = (
        ("first", f"step 1: {name} is what it was before, {tape.copied} has moved"),
        ("who", f"{facts} moves the {len(form.shapes)} tensors that it is given"),
        ("cause", f"{cause}: 0 of {len(form.shapes)} move"),
    )
    return Verdict("different", "scratch", name, Place(step=1), cause, lines=lines, not_checked=messages.NOT_SEEN)


def stops(form: Form, tape: Tape, facts: Facts) -> Verdict:
    """It raised, or what came back no longer has the weights' form."""
    assert tape.error is not None
    step = len(tape.left) + 1
    place = place_of(tape.error, step)
    what = f"other shapes come back: {tape.error}" if isinstance(tape.error, Unfit) else raised(tape.error)
    lines = (
        ("raises", f"step {step} in {tape.dtype}: {what}"),
        ("who", f"{facts} takes the same gradients, {step} steps"),
    )
    cause = f"step {step} raises {type(tape.error).__name__}"
    return Verdict("different", "scratch", None, place, cause, lines=lines, not_checked=messages.NOT_SEEN)


def differs(
    bad: Judged,
    form: Form,
    facts: Facts,
    quantities: tuple[Quantity, ...],
    notes: list[Line],
    wrote: Verdict | None,
    watch: bool,
) -> Verdict:
    step = first_bad(bad.steps)
    assert step
    tensor, lines = messages.first_lines(bad, step, form)
    told, missing = matched(bad.tape.states, bad.states, bad.floor)
    side, who = guilt(bad, facts, form)
    cause = None if side == "reference" else cause_of(bad.tape, facts, bad.floor)
    if cause and cause.convention and side == "scratch":
        side = "conventions"
        who = f"against {facts}, the definition here; scratch follows another in all {len(bad.golden)} steps"
    lines += [*messages.state_lines(told, missing), ("who", who), *cause_lines(cause, len(bad.golden)), *notes]
    lines += [wrote.lines[0]] if wrote else []
    place, where = Place(step=step), list[Line]()
    if watch and side != "reference":
        place, where = placed(place, parting_of_rule(bad, form, facts, step), form, facts)
    lines[2:2] = where
    name = next(name for name in bad.golden[0] if form.name(name) == tensor)
    floor = max(q.floor for q in bad.steps[step - 1])
    arrays = [run[step - 1][name] for run in (bad.tape.left, bad.golden, bad.tape.before, bad.tape.gradients)]
    evidence = Evidence(tensor, arrays[0], arrays[1], LIMIT * floor, (arrays[2], arrays[3]))
    return Verdict(
        "different",
        side,
        tensor,
        place,
        cause.told if cause else "",
        quantities,
        lines=tuple(lines),
        not_checked=messages.NOT_SEEN,
        details=(f"  called    {form.told}",),
        evidence=evidence,
    )


def cause_lines(cause: Cause | None, steps: int) -> list[Line]:
    if cause is None:
        return []
    return [
        ("cause", f"{cause.told} (explains all {steps} steps)"),
        *([("to go on", cause.go_on)] if cause.go_on else []),
    ]


def guilt(bad: Judged, facts: Facts, form: Form) -> tuple[Guilt, str]:
    """torch's class is the definition; where the reference may be another thing, one made afresh is asked."""
    plain = f"against {facts}, the definition: no derivative says what an update is"
    if not facts.own:
        return "scratch", plain
    told = "; ".join(facts.tampered) or f"{facts.kind.__qualname__} is not torch's own class"
    if facts.witness is None or facts.plain is None:
        return "open", f"against {facts}: {told}, and 0 of torch's classes say what is right"
    afresh = replay(facts.witness, bad.tape.before, bad.tape.gradients)
    if all(near(a[name], b[name], bad.floor) for a, b in zip(bad.golden, afresh, strict=True) for name in a):
        return "scratch", plain
    name = named(facts.plain, facts.options)
    if first_bad(compared(bad.tape, afresh, facts.witness, bad.floor, form)) is None:
        return "reference", f"{name}, made afresh, does as scratch in all {len(afresh)} steps; {told}"
    return "open", f"{name}, made afresh, agrees with neither side in {len(afresh)} steps; {told}"


def strange(form: Form, facts: Facts, seed: int, all_judged: list[Judged], quantities: tuple[Quantity, ...]) -> Verdict:
    """Everything agrees: now a gradient with a NaN, of which torch's class says what becomes of it."""
    first = all_judged[0]
    weights, gradients = drawn(facts.make, form.shapes, first.tape.dtype, seed)
    last = {name: array.copy() for name, array in gradients[-1].items()}
    for array in last.values():
        array.flat[3] = np.nan
    tape = run(form, weights, [*gradients, last], first.tape.dtype, locked=False)
    notes = messages.notes_of(all_judged)
    not_checked: tuple[str, ...] = messages.NOT_SEEN
    if tape.error is not None:
        place = place_of(tape.error)
        not_checked = (*not_checked, f"NaN in a gradient: it raises {type(tape.error).__name__} at {at(place)}")
    else:
        golden = replay(facts.make, tape.before, tape.gradients)[-1]
        for name, theirs in golden.items():
            ours, nan, due = np.isnan(tape.left[-1][name]), np.isnan(last[name]), np.isnan(theirs)
            if ((due & ~ours) | (ours & ~due & ~nan)).any():  # what NaN becomes by a sign is left open
                return nan_differs(form, facts, name, (tape.left[-1][name], theirs), len(tape.left), quantities)
    told, _ = matched(first.tape.states, first.states, first.floor)
    lines = messages.same_lines(all_judged, form, told, notes)
    return Verdict("same", quantities=quantities, lines=tuple(lines), not_checked=not_checked)


def nan_differs(
    form: Form, facts: Facts, name: str, made: tuple[Array, Array], step: int, quantities: tuple[Quantity, ...]
) -> Verdict:
    """A NaN that is hidden, or one that spreads further than torch's."""
    ours, theirs = made
    index = np.unravel_index(int((np.isnan(ours) != np.isnan(theirs)).argmax()), ours.shape)
    counts = f"{int(np.isnan(ours).sum())} entries of {form.name(name)} are NaN against {int(np.isnan(theirs).sum())}"
    cause = "a NaN in a gradient is hidden" if np.isnan(theirs[index]) else "a NaN in a gradient spreads"
    lines = (
        ("first", f"step {step}, with NaN in 1 entry of the gradient; all {step - 1} before it agree"),
        (form.name(name), f"{ours[index]:.6g} against {theirs[index]:.6g} at [{', '.join(map(str, index))}]; {counts}"),
        ("who", f"against {facts}, the definition: no derivative says what an update is"),
        ("cause", f"{cause}, from step {step} on"),
    )
    side: Guilt = "scratch" if facts.plain else "open"
    return Verdict("different", side, form.name(name), Place(step=step), cause, quantities, lines=lines)
