"""One case in one dtype on one device: what scratch made of it, and what the reference and its re-runs made of it."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.random import Generator
from twofold.compare import nest
from twofold.compare.judge.evidence.branches import Flip, pinned, unpinned
from twofold.compare.judge.evidence.floor import Quantity, Verdict, judge_all
from twofold.compare.judge.evidence.rounding import moved, saturating, shaken
from twofold.compare.pair import Case
from twofold.compare.sides import Reference, Scratch, Side
from twofold.compare.sides.trace import call_of
from twofold.scratch.module import Array, Module

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
class Divergence:
    """The first that differs: the stage (forward, backward, loss, optimizer, update), its module, the step from 1.

    Stage train_step: a step by forward and backward agrees, and the same as training takes it does not.
    """

    stage: str
    module: str
    step: int | None = None
    tensor: str | None = None
    evaluating: bool = False


def redrawn(state: Mapping[str, Array], rng: Generator) -> dict[str, Array]:
    """Weights N(0, 1)/sqrt(fan in), biases 0.3 N(0, 1), gammas 1 + 0.5 N(0, 1): no tensor zero, none alike.

    Running means like biases, running variances U(0.5, 1.5); counters stay.
    """

    def draw(name: str, array: Array) -> Array:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        normal = rng.standard_normal(array.shape)
        if name.endswith("running_var"):
            return rng.uniform(0.5, 1.5, array.shape)
        if array.ndim >= 2:
            return normal / np.sqrt(array[0].size)
        return 0.3 * normal if any(word in name.rpartition(".")[2] for word in ("bias", "mean")) else 1 + 0.5 * normal

    return {name: draw(name, array).astype(array.dtype) for name, array in state.items()}


@dataclass(frozen=True)
class Measured:
    """The float64 reference, its re-runs in the trial's dtype, and the branches that it would have taken otherwise."""

    star: Reading
    reruns: list[Reading]
    flips: list[Flip]


# Whether what a call took ("taken") or sent back ("sent") differs; None where that is not to be seen.
Between = Callable[[str, str], bool | None]


def not_seen(stage: str, call: str) -> None:
    """Between, where what passes between modules was not recorded."""


class Unrepeatable(Exception):
    """The reference gives other numbers for equal inputs: its noise would pass for the floor."""


class Trial:
    """Draws everything from one seed; the runs are made when first asked for and then shared by all checks."""

    def __init__(self, case: Case, dtype: str, device: str = "cpu", seed: int = 0) -> None:
        self.case, self.dtype, self.device, self.seed = case, dtype, device, seed
        self.state = redrawn(self.scratch().state(), self.rng("state"))
        self.inputs = self.draw_inputs(self.rng("inputs"))

    def rng(self, purpose: str) -> Generator:
        return np.random.default_rng([self.seed, zlib.crc32(f"{self.case.name} {purpose}".encode())])

    def scratch(self, dtype: str | None = None) -> Scratch:
        case = self.case
        given = case.model, case.loss, case.optimizer, dtype or self.dtype
        side = Scratch(*given, penalty=case.penalty, clip=case.clip, chunk=case.chunk)
        side.reseed(self.seed)
        return side

    def reference(self, dtype: str | None = None) -> Reference:
        case, dtype = self.case, dtype or self.dtype
        return Reference(
            case.model, case.loss, case.optimizer, dtype, self.device, penalty=case.penalty, clip=case.clip
        )

    def draw_inputs(self, rng: Generator) -> tuple[Any, ...]:
        return nest.apply(lambda draw: draw(rng, self.dtype), self.case.inputs)

    def draw_target(self, rng: Generator) -> Array | None:
        return self.case.target(rng, self.dtype) if self.case.target else None

    def draw_cotangents(self, out: Any, rng: Generator) -> Any:
        """Random ones, never ones: a sum is blind to whole terms of a gradient."""
        return nest.apply(lambda array: rng.standard_normal(array.shape).astype(self.dtype), out)

    @cached_property
    def target(self) -> Array | None:
        return self.draw_target(self.rng("target"))

    @cached_property
    def cotangents(self) -> Any:
        side = self.reference()
        side.load(self.state)
        return self.draw_cotangents(side.forward(self.inputs), self.rng("cotangents"))

    def observe(self, side: Side, seed: int | None = None, training: bool = True) -> Reading:
        """One forward and backward pass in either mode; with a seed everything is moved by one ulp (rounding.py)."""
        state, inputs = (self.state, self.inputs) if seed is None else moved((self.state, self.inputs), seed)
        side.load(state)
        side.train(training)
        side.zero_grad()
        if isinstance(side, Scratch):
            side.reseed(self.seed)
        losses = {}
        with shaken(side, seed, self.saturates), side.watch() as trace:
            out = side.forward(inputs)
            if self.target is not None:
                losses = {"loss": side.loss(self.target), "gradient of the output": side.loss_gradient()}
            if [a.shape for a in nest.flatten(out)] == [c.shape for c in nest.flatten(self.cotangents)]:
                dinputs = nest.numbered("<input>", side.backward(self.cotangents))
                gradients = side.gradients()
                gradients |= {name: dinput for name, dinput in dinputs.items() if name not in self.case.constants}
            else:
                gradients = {}  # judged as missing, after the output's own shape
        return {
            "forward": {**trace.outputs, **nest.numbered("<output>", out)},
            "backward": trace.gradients,
            "gradient": gradients,
            "taken": trace.inputs,
            "sent": trace.sent,
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
    def found(self) -> Reading:
        """Scratch's run."""
        return self.observe(self.scratch())

    @cached_property
    def measured(self) -> Measured:
        """The reference's runs beside scratch's."""
        return self.measure(self.found)

    def measure(self, found: Reading, training: bool = True) -> Measured:
        """The reference pinned to what scratch took. Raises Unrepeatable."""
        pins = found["taken"], found["masks"]

        def run(side: Reference, seed: int | None = None) -> Reading:
            with pinned(side.model, *pins):
                return self.observe(side, seed, training)

        side = self.reference()
        with pinned(side.model, *pins) as flips:
            plain = self.observe(side, training=training)
        if self.device == "cpu" and not identical(plain, run(side)):
            raise Unrepeatable(f"the reference does not repeat itself on equal inputs{unpinned(side.model, pins[1])}")
        single = self.dtype == "float64"
        star, reruns = (plain, []) if single else (run(self.reference("float64")), [plain])
        reruns += [run(side, seed) for seed in range(RERUNS)]
        measured = Measured(star, reruns, flips)
        if any(self.doubtful(self.judged_by(measured, stage, found)) for stage in ("forward", "backward", "gradient")):
            reruns += [run(side, seed) for seed in range(RERUNS, RERUNS + MORE_RERUNS)]
        return measured

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
    def star(self) -> Reading:
        """The float64 reference."""
        return self.measured.star

    def judged(self, stage: str, found: Reading | None = None) -> list[Quantity]:
        """Every tensor of both sides in this stage, in scratch's order; `found` is another run of scratch."""
        return self.judged_by(self.measured, stage, found or self.found)

    def judged_by(self, measured: Measured, stage: str, found: Reading) -> list[Quantity]:
        judged, star = found[stage], measured.star[stage]
        if stage in ("forward", "backward"):
            judged = self.called(judged, measured.star)
        return self.judge(judged, star, [run[stage] for run in measured.reruns])

    def called(self, recorded: Mapping[str, Array], star: Reading) -> dict[str, Array]:
        """What belongs to modules that the reference calls; F.relu is none, and shows in what comes of it."""
        modules = {self.module_of(name) for name in star["forward"]}
        return {name: array for name, array in recorded.items() if self.module_of(name) in modules}

    @property
    def shows_modules(self) -> bool:
        """A reference of raw tensors has no modules to watch; its output and gradients are all that can be compared."""
        return self.shows(self.star)

    def shows(self, star: Reading) -> bool:
        return len(leaves(self.scratch().model)) < 2 or any(not name.startswith("<output>") for name in star["forward"])

    def judge(
        self, found: Mapping[str, Array], star: Mapping[str, Array], reruns: Sequence[Mapping[str, Array]]
    ) -> list[Quantity]:
        """Every name of either side, "TENSOR" or "TENSOR what"; of a sequence a row is a time step."""

        def axis_of(name: str) -> int:
            sequence = name in star and star[name].ndim == 3 and name.partition(" ")[0] not in self.state
            return self.case.time_axis if sequence else 0

        return list(judge_all(found, star, reruns, self.dtype, axis_of))

    @cached_property
    def divergence(self) -> Divergence | None:
        return self.locate({stage: self.judged(stage) for stage in ("forward", "backward", "gradient")})

    def locate(
        self, judged: Mapping[str, Sequence[Quantity]], step: int | None = None, between: Between | None = None
    ) -> Divergence | None:
        """The first module that differs, forward in order of execution, then backward in reverse order.

        `between` judges what modules took and sent back, by default in this trial: where a module takes what the one
        before it did not give, the module that holds both is wrong.
        """
        between = between or self.between
        failed = {stage: failures(self.unwaived(judged[stage])) for stage in judged}
        calls = list(dict.fromkeys(call_of(q.name) for q in judged["forward"]))
        for quantity in judged["forward"]:
            if quantity.name in failed["forward"]:
                call = call_of(quantity.name)
                before, module = self.module_of(calls[max(calls.index(call) - 1, 0)]), self.module_of(call)
                return Divergence("forward", self.holder(before, module) if between("taken", call) else module, step)
        sender = calls[-1] if calls else "<output>"  # a reference of raw tensors shows none
        for call in reversed(calls):
            if any(call_of(name) == call for name in failed["backward"]):
                # whoever sent this module a wrong gradient
                module = self.module_of(sender)
                glue = between("sent", sender) is False
                return Divergence("backward", self.holder(self.module_of(call), module) if glue else module, step)
            if any(self.owner(name) == self.module_of(call) for name in failed["gradient"]):
                return Divergence("backward", self.module_of(call), step)
            sender = call
        # nothing but what the whole sends back: where the last module sends it rightly, the model is wrong
        last = self.case.name if between("sent", sender) is False else self.module_of(sender)
        return Divergence("backward", last, step) if failed["gradient"] else None

    def between(
        self, stage: str, call: str, found: Reading | None = None, measured: Measured | None = None
    ) -> bool | None:
        """Whether what a call took, or sent back, differs; None where one side does not show it."""
        found, measured = found or self.found, measured or self.measured
        ours, theirs = found[stage], measured.star[stage]
        names = [name for name in ours if name in theirs and call_of(name) == call]
        runs = [ours, theirs, *(run[stage] for run in measured.reruns)]
        if not names and all(call in run or f"{call}[0]" in run for run in runs):
            # one sends something to a state that was not given, the other to the input alone
            names, runs = [call], [{call: run[call] if call in run else run[f"{call}[0]"]} for run in runs]
        if not names:
            return None
        ours, theirs, *reruns = ({name: run[name] for name in names} for run in runs)
        return bool(failures(self.judge(ours, theirs, reruns)))

    def holder(self, first: str, second: str) -> str:
        """The path of the module that holds both."""
        if self.case.name in (first, second):
            return self.case.name
        parts = zip(first.split(".")[:-1], second.split(".")[:-1], strict=False)
        return ".".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], parts)) or self.case.name

    def module_of(self, name: str) -> str:
        """The path of a trace's key; the output of the whole belongs to no module and has the case's own name."""
        path = name.partition("#")[0].partition("[")[0]
        return self.case.name if path == "<output>" else path

    def owner(self, tensor: str) -> str:
        """The path of the module that holds a parameter or buffer; an input belongs to none."""
        if tensor.startswith("<input>"):
            return ""
        return tensor.rpartition(".")[0] or self.case.name


def failures(quantities: Iterable[Quantity]) -> set[str]:
    return {quantity.name for quantity in quantities if quantity.verdict is Verdict.FAIL}


def leaves(model: Module) -> list[Module]:
    """The modules that hold no others."""
    modules = [module for _, module in model.named_modules()]
    return [module for module in modules if not any(isinstance(value, Module) for value in vars(module).values())]


def identical(first: Reading, second: Reading) -> bool:
    """Bit for bit, NaN included."""
    return all(
        first[stage].keys() == second[stage].keys()
        and all(array.tobytes() == second[stage][name].tobytes() for name, array in first[stage].items())
        for stage in first
    )
