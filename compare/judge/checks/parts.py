"""The parts of a case that can be run by themselves: each distinct leaf module, the loss and the penalty."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.checks.exact import keeps_integers
from twofold.compare.judge.evidence.branches import pinned, shadowed
from twofold.compare.judge.evidence.operations import all_moved
from twofold.compare.judge.evidence.rounding import perturbing
from twofold.compare.judge.evidence.settings import settings
from twofold.compare.judge.evidence.trial import Trial, holds_modules
from twofold.compare.sides import Reference, Scratch
from twofold.compare.sides.hooks import hooks
from twofold.compare.sides.trace import array_of
from twofold.scratch.module import Array, Module

Values = Mapping[str, Array]  # the floats that a part is given: "input[0]", "cotangent[0]"
Outcome = Mapping[str, Array]  # what it made of them: "output", "weight gradient", "running_var"
LOSS, PENALTY = "loss", "penalty"


@dataclass(frozen=True)
class Part:
    """One part on both sides. `own`: the other side is torch's own class, which is the definition.

    `defined`: it, or a reference of ours, says what becomes of infinities and NaN; somebody else's module need not.
    `exact`: it sums products, whose integers are exact in any order.

    `ours(values)` and `theirs(dtype, state, values, seed, within)` run it forward and backward, moved by a seed, and
    with `within` in every single operation.
    """

    name: str
    state: Values
    values: Values
    ours: Callable[[Values], Outcome]
    theirs: Callable[..., Outcome]
    own: bool
    defined: bool = True
    loss: bool = False
    exact: bool = False


class References:
    """The reference's two dtypes on a device, each made when it is asked for, with the trial's weights."""

    def __init__(self, trial: Trial, device: str) -> None:
        self.trial, self.device, self.made = trial, device, dict[str, Reference]()

    def __getitem__(self, dtype: str) -> Reference:
        if dtype not in self.made:
            self.made[dtype] = self.trial.reference(dtype, self.device)
            self.made[dtype].load(self.trial.state)
        return self.made[dtype]


def parts(trial: Trial, device: str = "cpu") -> Iterator[Part]:
    """In order of execution; of modules that are alike, arguments included, the first, where both sides name it.

    The reference's are on a device.
    """
    scratch, references = trial.scratch(), References(trial, device)
    scratch.load(trial.state)
    theirs = {path for path, module in references[trial.dtype].model.named_modules() if runs(module)}
    seen = set()
    for path, (module, inputs) in taken(scratch, trial.inputs).items():
        if (key := alike(module)) not in seen and path in theirs:
            seen.add(key)
            constants = trial.case.constants if not path else ()
            yield of_module(trial, references, path or trial.case.name, path, module, inputs, constants)
    if trial.target is not None:
        out = scratch.forward(trial.inputs)
        yield of_loss(trial, references, scratch, (out, trial.target))
    if scratch.penalty:
        yield of_penalty(trial, references, scratch)


def taken(side: Scratch, inputs: Any) -> dict[str, tuple[Module, tuple]]:
    """What every leaf module took in its first call, by path, in order of execution."""
    found: dict[str, tuple[Module, tuple]] = {}
    leaves = [(path, m) for path, m in side.model.named_modules() if not holds_modules(m)]

    def watch(path: str, module: Module, forward: Callable) -> Callable:
        def watched(*given: Any) -> Any:
            found.setdefault(path, (module, nest.apply(np.array, given)))
            return forward(*given)

        return watched

    with shadowed([(module, watch(path, module, module.forward)) for path, module in leaves]):
        side.forward(inputs)
    return found


def runs(module: Any) -> bool:
    """Whether a torch module has a forward; one that only holds tensors has none."""
    return type(module).forward.__name__ != "_forward_unimplemented"


def alike(module: Module) -> tuple:
    """What two modules have in common that do the same: class, arguments and shapes."""
    plain = {k: v for k, v in vars(module).items() if isinstance(v, bool | int | float | str | tuple) and k != "cache"}
    shapes = [(name, holder.data.shape) for name, holder in module.named_state()]
    return type(module), str(sorted(plain.items())), str(shapes)


def own_class(module: Any) -> bool:
    """Whether it is torch's own, and nothing is hung on it."""
    return type(module).__module__.startswith("torch.nn.") and not hooks(module, "")


def of_module(
    trial: Trial,
    references: References,
    name: str,
    path: str,
    module: Module,
    inputs: tuple,
    constants: tuple[str, ...] = (),
) -> Part:
    """A module that both sides have at this path, or as their `loss`."""
    rng = trial.rng(f"extremes {name}")
    state = module.state_dict()
    flat = nest.numbered("<input>", inputs)
    names = {key: f"input[{n}]" for n, key in enumerate(flat)}
    moving = [key for key in flat if np.issubdtype(flat[key].dtype, np.floating) and key not in constants]

    def given(values: Values) -> Any:
        return nest.fill(inputs, (values[names[key]] if key in moving else flat[key] for key in flat))

    def cotangents(out: Any, values: Values) -> Any:
        leaves = (values[f"cotangent[{n}]"] for n in range(len(nest.flatten(out))))
        return nest.fill(out, leaves)

    def ours(values: Values) -> Outcome:
        return scratch_pass(trial, module, state, given(values), lambda out: cotangents(out, values))

    def theirs(dtype: str, state: Values, values: Values, seed: int | None = None, within: bool = False) -> Outcome:
        side = references[dtype]
        other = side.criterion if path == LOSS else side.model.get_submodule(path)
        moves = {key for key in moving if key in flat}
        mask = vars(module).get("mask")  # of scratch's run, which comes first
        with all_moved(seed) if within and seed is not None else nullcontext():
            return torch_pass(side, other, state, given(values), moves, mask, lambda out: cotangents(out, values), seed)

    out = nest.apply(np.asarray, module.forward(*inputs))
    values = {names[key]: flat[key] for key in moving}
    values |= {
        f"cotangent[{n}]": rng.standard_normal(leaf.shape).astype(leaf.dtype)
        for n, leaf in enumerate(nest.flatten(out))
    }
    side = references[trial.dtype]
    other = side.criterion if path == LOSS else side.model.get_submodule(path)
    torchs = own_class(other)
    defined = torchs or type(other).__module__.startswith("twofold.reference.")
    own = torchs and not settings(module, vars(other))
    return Part(name, state, values, ours, theirs, own, defined, bool(constants), keeps_integers(module))


def of_loss(trial: Trial, references: References, scratch: Scratch, given: tuple) -> Part:
    """The criterion; its target stays."""
    return of_module(trial, references, LOSS, LOSS, scratch.criterion, given, ("<input>[1]",))


def scratch_pass(trial: Trial, module: Module, state: Values, inputs: Any, cotangents: Callable) -> Outcome:
    module.load_state_dict(state)
    module.zero_grad()
    if "rng" in vars(module):
        vars(module)["rng"] = np.random.default_rng(trial.seed)
    out = module.forward(*nest.apply(np.array, inputs))
    grad_output = cotangents(out)
    dinputs = module.backward(*(grad_output if isinstance(grad_output, tuple) else (grad_output,)))
    return {
        **nest.numbered("output", nest.apply(np.array, out)),
        **gradients_of_inputs(nest.flatten(dinputs), len(nest.flatten(inputs))),
        **{f"{name} gradient": parameter.grad.copy() for name, parameter in module.named_parameters()},
        **{name: buffer.data.copy() for name, buffer in module.named_buffers()},
    }


def gradients_of_inputs(dinputs: list, count: int) -> dict[str, Array]:
    """One an input; an LSTM sends something to a state that was not given, a loss nothing to its target."""
    return {f"input gradient[{n}]": np.array(d) for n, d in enumerate(dinputs[:count]) if d is not None}


def torch_pass(
    side: Reference,
    module: Any,
    state: Values,
    inputs: Any,
    moving: set[str],
    mask: Array | None,
    cotangents: Callable,
    seed: int | None,
) -> Outcome:
    """The same of a torch module; a Dropout takes scratch's mask."""
    torch = side.torch
    module.requires_grad_()  # that it is frozen in the model is told elsewhere
    if state:
        module.load_state_dict({name: side.tensor(value) for name, value in state.items()})
    tensors = nest.apply(side.tensor, inputs)
    for key, leaf in nest.numbered("<input>", tensors).items():
        leaf.requires_grad_(key in moving)
    moves: AbstractContextManager = perturbing(SimpleNamespace(model=module), seed)  # type: ignore[arg-type]
    masked: AbstractContextManager = nullcontext()
    if mask is not None:
        alone: Any = SimpleNamespace(model=torch.nn.ModuleDict({"part": module}), names={})
        masked = pinned(alone, {}, {"part": mask})
    with moves, masked:
        out = module(*nest.apply(lambda leaf: leaf.clone(), tensors))  # it may write to what it takes
    leaves = [leaf for leaf in nest.flatten(tensors) if leaf.requires_grad]
    parameters = dict(module.named_parameters())
    outs = nest.flatten(out)
    sent = [side.tensor(c) for c in nest.flatten(cotangents(out))]
    reached = [(o, c) for o, c in zip(outs, sent, strict=True) if o.requires_grad]
    wanted = [*leaves, *parameters.values()]
    found = torch.autograd.grad([o for o, _ in reached], wanted, [c for _, c in reached], allow_unused=True)
    by_leaf = {id(leaf): grad for leaf, grad in zip(wanted, found, strict=True)}
    dinputs = [by_leaf.get(id(leaf)) for leaf in nest.flatten(tensors)]
    return {
        **nest.numbered("output", nest.apply(array_of, out)),
        **{f"input gradient[{n}]": array_of(d) for n, d in enumerate(dinputs) if d is not None},
        **{
            f"{name} gradient": array_of(by_leaf[id(p)]) for name, p in parameters.items() if by_leaf[id(p)] is not None
        },
        **{name: array_of(buffer) for name, buffer in module.named_buffers()},
    }


def of_penalty(trial: Trial, references: References, scratch: Scratch) -> Part:
    """What it adds to the loss and to the gradients, of the weights in the place of inputs."""
    weights = {name: trial.state[name] for name in trial.parameters}

    def ours(values: Values) -> Outcome:
        scratch.load({**trial.state, **named(values)})
        scratch.zero_grad()
        value = np.asarray(scratch.penalty.forward())
        scratch.penalty.backward()
        return {
            "output": value,
            **{f"{name} gradient": grad for name, grad in scratch.gradients().items() if grad.any()},
        }

    def theirs(dtype: str, state: Values, values: Values, seed: int | None = None, within: bool = False) -> Outcome:
        side = references[dtype]
        side.load({**trial.state, **named(values)})
        side.zero_grad()
        value = side.penalty()
        value.backward()
        gradients = {f"{name} gradient": grad for name, grad in side.gradients().items() if grad.any()}
        return {"output": array_of(value), **gradients}

    return Part(PENALTY, {}, {f"input {name}": value for name, value in weights.items()}, ours, theirs, False)


def named(values: Values) -> dict[str, Array]:
    return {key.removeprefix("input "): value for key, value in values.items()}
