"""One case in one dtype on one device: what scratch made of it, and what the reference and its re-runs made of it.

The float64 reference and scratch are held. Of a re-run no more is kept than how far each row strays from the first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.branches import Flip, pinned, unpinned
from twofold.compare.judge.evidence.draws import Draws
from twofold.compare.judge.evidence.floor import farther, in_range, judge_all, largest, strays
from twofold.compare.judge.evidence.reading import Measured, Reading, Unrepeatable, equal_to, idle_in, repeated, used
from twofold.compare.judge.evidence.rounding import move_state, perturbed, perturbing, saturating
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.compare.judge.gates import LIMIT
from twofold.compare.pair import Draw, Pair
from twofold.compare.sides import Reference, Scratch, Side
from twofold.compare.sides.trace import Copies, Keep, call_of, path_of
from twofold.scratch.module import Array, Module, held

RERUNS = 5
# The largest of few re-runs may fall short of what rounding does; where an error makes one doubt it, so many are added.
# More can only widen a floor: what lies within LIMIT floors already is equal whatever they would say.
MORE_RERUNS = 10
DOUBTFUL = (LIMIT, 50.0)  # floors
# Floors: what a waived tensor may be off by, as rounding; an update is exempt, since Adam magnifies it.
MOST_WAIVED = 1e4


class Trial(Draws):
    """The runs of both sides on one draw, made when first asked for and then shared by all checks."""

    def observe(self, side: Side, seed: int | None = None, training: bool = True, keep: Keep | None = None) -> Reading:
        """One forward and backward pass in either mode; with a seed everything is moved by one ulp (rounding.py).

        What `keep` makes of each tensor as soon as it is there, by default a copy.
        """
        keep = keep or Copies()
        side.load(self.state)
        if seed is not None:
            move_state(side.model, seed)
        side.train(training)
        side.zero_grad()
        if isinstance(side, Scratch):
            side.reseed(self.seed)
        kept: Reading = {"forward": {}, "loss": {}, "gradient": {}}

        def take(stage: str, arrays: Mapping[str, Array]) -> None:
            kept[stage] |= {name: keep(stage, name, array) for name, array in arrays.items()}

        with perturbing(side, seed, seed is not None and self.saturates):
            with side.watch(keep) as trace:
                out = side.forward(perturbed(self.inputs, seed))
                take("forward", nest.numbered("<output>", out))
                if [a.shape for a in nest.flatten(out)] == [c.shape for c in nest.flatten(self.cotangents)]:
                    dinputs = nest.numbered("<input>", side.backward(self.cotangents))
                    kept["gradient"] = side.gradients(keep)
                    take("gradient", {name: d for name, d in dinputs.items() if name not in self.case.constants})
                # else judged as missing, after the output's own shape
            if self.target is not None:  # last, for it may hang a hook on the output
                take("loss", {"loss": side.loss(self.target), "gradient of the output": side.loss_gradient()})
        return {
            "forward": trace.outputs | kept["forward"],
            "backward": trace.grad_outputs,
            "gradient": kept["gradient"],
            "input": trace.inputs,
            "grad_input": trace.grad_inputs,
            "asked": {name: keep("asked", name, array) for name, array in trace.asked.items()},
            "passed": {name: keep("passed", name, array) for name, array in trace.passed.items()},
            "masks": trace.masks,
            "loss": kept["loss"],
        }

    @cached_property
    def saturates(self) -> bool:
        """Whether the reference takes a tanh or a sigmoid anywhere, also within a cell or its loss."""
        if self.rehearsal.saturates or self.target is None:
            return self.rehearsal.saturates
        side = self.reference()
        side.load(self.state)
        with saturating(0) as met:
            side.forward(self.inputs)
            side.loss(self.target)
        return bool(met)

    @cached_property
    def actual(self) -> Reading:
        """Scratch's run."""
        return self.observe(self.scratch())

    @cached_property
    def measured(self) -> Measured:
        """The reference's runs beside scratch's."""
        return self.measure(self.actual)

    def measure(self, actual: Reading, training: bool = True) -> Measured:
        """The reference pinned to what scratch took. Raises Unrepeatable."""
        pins, side = (actual["input"], actual["masks"]), self.reference()
        with pinned(side, *pins) as flips:
            plain = self.observe(side, training=training)
        with pinned(side, *pins, counting=False):
            again = self.observe(side, training=training, keep=equal_to(plain))
        if not repeated(plain, again):
            told = f"{self.first_unequal(plain, again)}{unpinned(side, pins[1])}"
            raise Unrepeatable(f"the reference does not repeat itself on equal inputs: {told}")
        if self.dtype == "float64":
            measured = Measured(plain, flips)
        else:
            wide = self.reference("float64")
            with pinned(wide, *pins):
                measured = Measured(self.in_range(self.observe(wide, training=training)), flips)
            keep = self.strays_from(measured.golden)
            measured = measured.beside(
                {stage: {name: keep(stage, name, array) for name, array in plain[stage].items()} for stage in plain}
            )
            first, moves = self.moved_beside(side, plain, measured.golden, pins, training)
            measured = replace(measured, off=self.off(measured, moves)).beside(first)
        del plain
        measured = self.rerun(measured, actual, range(0 if self.dtype == "float64" else 1, RERUNS), side, training)
        if any(self.doubtful(self.judged_by(measured, stage, actual)) for stage in ("forward", "backward", "gradient")):
            measured = self.rerun(measured, actual, range(RERUNS, RERUNS + MORE_RERUNS), side, training)
        return measured

    @cached_property
    def unsteady(self) -> str:
        """Where the reference gives other numbers for equal inputs, in words; "" where it repeats itself."""
        try:
            self.measured  # noqa: B018
        except Unrepeatable as error:
            return str(error)
        except Exception:  # a side raises, which is the checks' to say
            return ""
        return ""

    def first_unequal(self, one: Reading, equal: Reading) -> str:
        """The first tensor in order of execution, forward then backward, that two runs give otherwise."""
        names = [("forward", name) for name in one["forward"]]
        names += [("backward", name) for name in reversed(one["forward"]) if name in one["backward"]]
        for stage, name in names:
            if not equal[stage].get(name, False):
                return f"{self.module_of(name)} ({stage})"
        rest = (name for stage in ("loss", "gradient") for name in one[stage] if not equal[stage].get(name, False))
        return next(rest, "what it hands on between its modules")

    def off(self, measured: Measured, moves: Reading) -> dict[str, dict[str, Quantity]]:
        """Where the reference goes wrong in the trial's precision alone: a floor of such runs would hide the fault.

        It lies farther from its float64 run than it `moves` where everything in it is moved by an ulp, by more than
        LIMIT of that and of 8 eps of the tensor's largest entry.
        """
        found: dict[str, dict[str, Quantity]] = {}
        unit = 8 * float(np.finfo(self.dtype).eps)
        for stage in ("input", "forward", "loss", "backward", "grad_input", "gradient"):
            for name, away in measured.strayed.get(stage, {}).items():
                golden, near = measured.golden[stage].get(name), moves.get(stage, {}).get(name, np.empty(0))
                if (
                    golden is None
                    or not golden.size
                    or away.shape != near.shape
                    or not away.size
                    or name in self.waived
                ):
                    continue
                within = near + unit * largest(golden).max()
                with np.errstate(invalid="ignore"):  # what is not finite is judged by itself
                    row = int(np.argmax(np.where(np.isfinite(away), away - LIMIT * within, -np.inf)))
                if np.isfinite(away[row]) and away[row] > LIMIT * within[row]:
                    told = (
                        f"the reference lies {away[row]:.3g} from its float64, and rounding moves it by {near[row]:.3g}"
                    )
                    sizes = float(away[row]), float(within[row]), float(away[row] / within[row])
                    off = Quantity(name, *sizes, Verdict.FAIL, reason=told, side="reference")
                    found.setdefault(stage, {})[name] = off
        return found

    def moved_beside(
        self, side: Reference, plain: Reading, golden: Reading, pins: tuple[Any, Any], training: bool
    ) -> tuple[Reading, Reading]:
        """The first run of the reference that is moved by one ulp: how far it strays from golden, and from `plain`."""
        moves: Reading = {}
        from_golden, from_plain = self.strays_from(golden), self.strays_from(plain)

        def both(stage: str, name: str, array: Array) -> Array:
            moves.setdefault(stage, {})[name] = from_plain(stage, name, array)
            return from_golden(stage, name, array)

        with pinned(side, *pins, counting=False):
            return self.observe(side, 0, training, both), moves

    def rerun(
        self,
        measured: Measured,
        actual: Reading,
        seeds: Iterable[int],
        side: Reference | None = None,
        training: bool = True,
    ) -> Measured:
        """With further runs of the reference, each moved by one ulp."""
        side = side or self.reference()
        for seed in seeds:
            with pinned(side, actual["input"], actual["masks"], counting=False):
                run = self.observe(side, seed, training, self.strays_from(measured.golden))
            measured = measured.beside(run)
        return measured

    def in_range(self, golden: Reading) -> Reading:
        """The float64 reference, infinite where the trial's dtype has nothing as large."""
        return {stage: {name: in_range(a, self.dtype) for name, a in golden[stage].items()} for stage in golden}

    def strays_from(self, golden: Reading) -> Keep:
        """Keeps of each tensor of one run how far each row strays from golden; of one that golden has not, nothing.

        What one module gives and the next one takes is one array in golden, and is measured once.
        """
        last: tuple[Array | None, int, Array] = (None, 0, np.empty(0))

        def keep(stage: str, name: str, array: Array) -> Array:
            nonlocal last
            expected = golden.get(stage, {}).get(name)
            if expected is None or expected.dtype == bool:
                return np.empty(0)
            if expected is not last[0] or array.ctypes.data != last[1]:
                last = expected, array.ctypes.data, strays(array, expected, self.axis_of(name, expected))
            return last[2]

        return keep

    def doubtful(self, quantities: Iterable[Quantity]) -> bool:
        """Some error is neither plainly rounding nor plainly a fault."""
        return any(DOUBTFUL[0] < q.ratio < DOUBTFUL[1] for q in self.unwaived(quantities))

    @property
    def waived(self) -> set[str]:
        """The tensors that a waiver names, such as those whose gradient is rounding alone."""
        return {key.partition(": ")[2] for key in self.case.waivers}

    def unwaived(self, quantities: Iterable[Quantity], most: float = MOST_WAIVED) -> list[Quantity]:
        """Without what a waiver sets aside, which hides no other failure and is not where one begins."""
        return [q for q in quantities if q.name.partition(" ")[0] not in self.waived or q.ratio > most]

    @property
    def flips(self) -> list[Flip]:
        """Those of the runs that were made."""
        return self.measured.flips if "measured" in vars(self) else []

    @property
    def golden(self) -> Reading:
        """The float64 reference."""
        return self.measured.golden

    def judged(self, stage: str, actual: Reading | None = None) -> list[Quantity]:
        """Every tensor of both sides in this stage, in scratch's order; `actual` is another run of scratch."""
        return self.judged_by(self.measured, stage, actual or self.actual)

    def judged_by(self, measured: Measured, stage: str, actual: Reading) -> list[Quantity]:
        judged, golden = actual[stage], measured.golden[stage]
        if stage in ("forward", "backward"):
            judged = self.called(judged, measured.golden)
        if stage == "update":
            judged, golden = (used(state, idle_in(actual, measured.golden)) for state in (judged, golden))
        found = judge_all(judged, golden, measured.strayed.get(stage, {}), self.dtype, self.axis_of)
        return [measured.off.get(stage, {}).get(quantity.name, quantity) for quantity in found]

    def called(self, recorded: Mapping[str, Array], golden: Reading) -> dict[str, Array]:
        """What calls gave that the reference makes too; F.relu is none, and shows in what comes of it."""
        calls = {call_of(name) for name in golden["forward"]}
        return {name: array for name, array in recorded.items() if call_of(name) in calls}

    @property
    def shows_modules(self) -> bool:
        """A reference of raw tensors has no modules to watch; its output and gradients are all that can be compared."""
        return self.rehearsal.shows_modules or self.single

    @cached_property
    def single(self) -> bool:
        """Whether scratch is a single layer."""
        return len(leaves(self.scratch().model)) < 2

    def judge(
        self, actual: Mapping[str, Array], golden: Mapping[str, Array], reruns: Sequence[Mapping[str, Array]]
    ) -> list[Quantity]:
        """Every name of either side, "TENSOR" or "TENSOR what", given whole re-runs."""
        strayed: dict[str, Array] = {}
        for run in reruns:
            keep = self.strays_from({"": dict(golden)})
            strayed = farther(strayed, {name: keep("", name, array) for name, array in run.items()})
        return list(judge_all(actual, golden, strayed, self.dtype, self.axis_of))

    def axis_of(self, name: str, golden: Array) -> int:
        """Of what a row is an index: of a sequence the time step, else of the first axis."""
        sequence = golden.ndim == 3 and name.partition(" ")[0] not in self.state
        return self.case.time_axis if sequence else 0

    def module_of(self, name: str) -> str:
        """The path of a trace's key; the output of the whole belongs to no module and has the case's own name."""
        path = path_of(name)
        return self.case.name if path == "<output>" else path

    def owner(self, tensor: str) -> str:
        """The path of the module that holds a parameter or buffer; an input belongs to none."""
        if tensor.startswith("<input>"):
            return ""
        return tensor.rpartition(".")[0] or self.case.name


def at_recipe_size(
    pair: Pair, inputs: Array, dtype: str, device: str = "cpu", seed: int = 0, target: Array | None = None
) -> Trial:
    """The pair at its recipe's size on the records given; without a target its model alone."""
    wanted = None if target is None else Draw(target.shape)
    trial = Trial(pair.full_case((Draw(inputs.shape),), wanted), dtype, device, seed)
    trial.inputs = (in_dtype(inputs, dtype),)
    if target is not None:
        trial.target = in_dtype(target, dtype)
    return trial


def in_dtype(array: Array, dtype: str) -> Array:
    """Floats in the dtype; words and classes stay integers."""
    return array.astype(dtype) if np.issubdtype(array.dtype, np.floating) else array


def leaves(model: Module) -> list[Module]:
    """The modules that hold no others."""
    return [module for _, module in model.named_modules() if not holds_modules(module)]


def holds_modules(module: Module) -> bool:
    return any(isinstance(part, Module) for _, part in held(vars(module)))
