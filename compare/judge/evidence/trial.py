"""One case in one dtype on one device: what scratch made of it, and what the reference and its re-runs made of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.branches import Flip, pinned, unpinned
from twofold.compare.judge.evidence.draws import Draws
from twofold.compare.judge.evidence.floor import judge_all
from twofold.compare.judge.evidence.rounding import perturbed, perturbing, saturating
from twofold.compare.judge.finding import Quantity
from twofold.compare.sides import Reference, Scratch, Side
from twofold.compare.sides.trace import call_of, path_of
from twofold.scratch.module import Array, Module, held

RERUNS = 5
# The largest of few re-runs may fall short of what rounding does; where an error makes one doubt it, so many are added.
MORE_RERUNS = 10
DOUBTFUL = (1.0, 50.0)  # floors
# Floors: what a waived tensor may be off by, as rounding; an update is exempt, since Adam magnifies it.
MOST_WAIVED = 1e4

# What one run gave, by stage and name. Stages: forward (every module in order, then the output), loss, backward (the
# gradient of every module's output), gradient (of every parameter and input).
Reading = dict[str, dict[str, Array]]


@dataclass(frozen=True)
class Measured:
    """The float64 reference, its re-runs in the trial's dtype, and the branches that it would have taken otherwise."""

    golden: Reading
    reruns: list[Reading]
    flips: list[Flip]


class Unrepeatable(Exception):
    """The reference gives other numbers for equal inputs: its noise would pass for the floor."""


class Trial(Draws):
    """The runs of both sides on one draw, made when first asked for and then shared by all checks."""

    def observe(self, side: Side, seed: int | None = None, training: bool = True) -> Reading:
        """One forward and backward pass in either mode; with a seed everything is moved by one ulp (rounding.py)."""
        state, inputs = perturbed((self.state, self.inputs), seed)
        side.load(state)
        side.train(training)
        side.zero_grad()
        if isinstance(side, Scratch):
            side.reseed(self.seed)
        losses = {}
        with perturbing(side, seed, self.saturates):
            with side.watch() as trace:
                out = side.forward(inputs)
                if [a.shape for a in nest.flatten(out)] == [c.shape for c in nest.flatten(self.cotangents)]:
                    dinputs = nest.numbered("<input>", side.backward(self.cotangents))
                    gradients = side.gradients()
                    gradients |= {name: dinput for name, dinput in dinputs.items() if name not in self.case.constants}
                else:
                    gradients = {}  # judged as missing, after the output's own shape
            if self.target is not None:  # last, for it may hang a hook on the output
                losses = {"loss": side.loss(self.target), "gradient of the output": side.loss_gradient()}
        return {
            "forward": {**trace.outputs, **nest.numbered("<output>", out)},
            "backward": trace.grad_outputs,
            "gradient": gradients,
            "input": trace.inputs,
            "grad_input": trace.grad_inputs,
            "asked": trace.asked,
            "masks": trace.masks,
            "loss": losses,
        }

    @cached_property
    def saturates(self) -> bool:
        """Whether the reference takes a tanh or a sigmoid anywhere, also within a cell or its loss."""
        side = self.reference()
        side.load(self.state)
        with saturating(0) as met:
            side.forward(self.inputs)
            if self.target is not None:
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
        pins = actual["input"], actual["masks"]

        def run(side: Reference, seed: int | None = None) -> Reading:
            with pinned(side, *pins):
                return self.observe(side, seed, training)

        side = self.reference()
        with pinned(side, *pins) as flips:
            plain = self.observe(side, training=training)
        if self.device == "cpu" and not identical(plain, again := run(side)):
            first = f"{self.first_unequal(plain, again)}{unpinned(side, pins[1])}"
            raise Unrepeatable(f"the reference does not repeat itself on equal inputs: {first}")
        single = self.dtype == "float64"
        golden, reruns = (plain, []) if single else (run(self.reference("float64")), [plain])
        reruns += [run(side, seed) for seed in range(RERUNS)]
        measured = Measured(golden, reruns, flips)
        if any(self.doubtful(self.judged_by(measured, stage, actual)) for stage in ("forward", "backward", "gradient")):
            reruns += [run(side, seed) for seed in range(RERUNS, RERUNS + MORE_RERUNS)]
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

    def first_unequal(self, one: Reading, other: Reading) -> str:
        """The first tensor in order of execution, forward then backward, that two runs give otherwise."""
        forward = [("forward", name) for name in one["forward"]]
        backward = [("backward", name) for name in reversed(one["forward"])]
        rest = [(stage, name) for stage in ("loss", "gradient") for name in one[stage]]
        for stage, name in (*forward, *backward, *rest):
            first, second = (reading[stage].get(name, np.empty(0)) for reading in (one, other))
            if not np.array_equal(first, second, equal_nan=first.dtype.kind == "f"):
                return f"{self.module_of(name)} ({stage})" if stage in ("forward", "backward") else f"{name} ({stage})"
        return "what it hands on between its modules"

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
        return self.judge(judged, golden, [run[stage] for run in measured.reruns])

    def called(self, recorded: Mapping[str, Array], golden: Reading) -> dict[str, Array]:
        """What calls gave that the reference makes too; F.relu is none, and shows in what comes of it."""
        calls = {call_of(name) for name in golden["forward"]}
        return {name: array for name, array in recorded.items() if call_of(name) in calls}

    @property
    def shows_modules(self) -> bool:
        """A reference of raw tensors has no modules to watch; its output and gradients are all that can be compared."""
        return self.rehearsal.shows_modules or len(leaves(self.scratch().model)) < 2

    def judge(
        self, actual: Mapping[str, Array], golden: Mapping[str, Array], reruns: Sequence[Mapping[str, Array]]
    ) -> list[Quantity]:
        """Every name of either side, "TENSOR" or "TENSOR what"; of a sequence a row is a time step."""

        def axis_of(name: str) -> int:
            sequence = name in golden and golden[name].ndim == 3 and name.partition(" ")[0] not in self.state
            return self.case.time_axis if sequence else 0

        return list(judge_all(actual, golden, reruns, self.dtype, axis_of))

    def module_of(self, name: str) -> str:
        """The path of a trace's key; the output of the whole belongs to no module and has the case's own name."""
        path = path_of(name)
        return self.case.name if path == "<output>" else path

    def owner(self, tensor: str) -> str:
        """The path of the module that holds a parameter or buffer; an input belongs to none."""
        if tensor.startswith("<input>"):
            return ""
        return tensor.rpartition(".")[0] or self.case.name


def idle_in(actual: Reading, golden: Reading) -> set[str]:
    """The parameters that no gradient reaches on either side: torch has None, scratch zeros."""
    return {name for name, array in actual["gradient"].items() if name not in golden["gradient"] and not array.any()}


def used(state: Mapping[str, Array], idle: set[str]) -> dict[str, Array]:
    """Without what an optimizer keeps for parameters that no gradient reaches: torch leaves them out of its step."""
    return {name: array for name, array in state.items() if " " not in name or name.partition(" ")[0] not in idle}


def leaves(model: Module) -> list[Module]:
    """The modules that hold no others."""
    modules = [module for _, module in model.named_modules()]
    return [module for module in modules if not any(isinstance(part, Module) for _, part in held(vars(module)))]


def identical(first: Reading, second: Reading) -> bool:
    """Bit for bit, NaN included."""
    return all(
        first[stage].keys() == second[stage].keys()
        and all(array.tobytes() == second[stage][name].tobytes() for name, array in first[stage].items())
        for stage in first
    )
