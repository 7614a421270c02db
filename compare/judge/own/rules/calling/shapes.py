"""Which form a stranger's rule has: found by its signature, then by trying what moves the weights."""

import types
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from twofold.compare.judge.own.rules.calling import bags
from twofold.compare.judge.own.rules.calling.arguments import STATES, Options, Role, Wanted, required, wanted
from twofold.compare.judge.own.rules.calling.bags import NAMES, Arrays, Bag
from twofold.compare.judge.own.rules.calling.carried import Kept, kept, spots_of
from twofold.compare.judge.own.rules.calling.running import FAR, Each, Manner, Running, Together, apart, copied
from twofold.compare.judge.own.rules.places import place_of, raised
from twofold.compare.judge.own.telling.verdict import BadCall

Make = Callable[..., Any]

METHODS = ("update", "step", "update_params", "update_parameters", "apply_gradients", "apply", "optimize", "__call__")
# A matrix with one row a magnitude, and a vector that does not broadcast with it; else two matrices.
USUAL: dict[str, tuple[int, ...]] = {"weight": (16, 5), "bias": (16,)}
ALIKE: dict[str, tuple[int, ...]] = {"weight": (16, 5), "bias": (16, 5)}
TRIED = 2  # steps of a first try
# What an optimizer may be made of, from the likeliest.
FACTORIES = (
    bags.DICT,
    bags.LIST,
    bags.NAMED,
    bags.TENSORS,
    bags.TENSOR_DICT,
    bags.LAYERS,
    bags.PAIRS,
    bags.TORCHS,
)
ADVICE = "write scratch=lambda w, dw: ... that returns the new w, or lambda params: an optimizer with step(grads)"


@dataclass
class Form:
    """A way to call a stranger's rule that moves weights."""

    told: str
    kind: Literal["each", "together"]
    make: Make
    method: str
    manner: Manner
    bag: Bag = bags.LIST
    grads: Callable[[Arrays], Any] | None = None
    made_of: str = ""
    shared: bool = True
    shapes: dict[str, tuple[int, ...]] = field(default_factory=lambda: USUAL)

    def begin(self, weights: Arrays) -> Running:
        """The rule afresh, on these arrays themselves."""
        if self.kind == "each":
            return Each(weights, self.make, self.method, self.manner, self.shared)
        return Together(weights, self.make, self.method, self.manner, self.bag, self.grads, self.made_of)

    def name(self, tensor: str) -> str:
        """A tensor's name as the stranger's code sees it."""
        return dict(zip(USUAL, self.bag.names, strict=True))[tensor] if self.kind == "together" else tensor


def form_of(scratch: Any, options: Options, shapes: dict[str, tuple[int, ...]] | None = None) -> Form:
    """The first form that moves all tensors, else the one that moves most; raises BadCall where none does."""
    errors: list[Exception] = []
    tried: list[str] = []
    best: tuple[float, Form | None] = (0, None)
    for given in [shapes] if shapes else [USUAL, ALIKE]:
        for form in forms(scratch, options, errors):
            form = replace(form, shapes=given)
            tried.append(form.told)
            moved = moves(form, errors)
            if moved == len(given):
                return form
            best = max(best, (moved, form), key=lambda found: found[0])
    if best[1] is not None:
        return best[1]
    raise BadCall(
        f"expected an update rule or an optimizer, found {described(scratch)}: {failed(tried, errors)}; "
        f"{advice(errors, scratch)}"
    )


def failed(tried: list[str], errors: list[Exception]) -> str:
    """What was tried, and the error that tells most: of the stranger's own code, a name that is missing first."""
    ways = list(dict.fromkeys(tried))
    told = (
        f"tried {', '.join(ways[:3])}{f' and {len(ways) - 3} more' if len(ways) > 3 else ''}"
        if ways
        else "0 ways to call it"
    )
    theirs = [error for error in errors if place_of(error).file]
    missing = [error for error in theirs if isinstance(error, KeyError | NameError | AttributeError)]
    return f"{told}, {raised((missing or theirs)[-1])}" if theirs else f"{told}, 0 weights move"


def advice(errors: list[Exception], scratch: Any) -> str:
    keys = [error.args[0] for error in errors if isinstance(error, KeyError) and error.args[0] not in NAMES.values()]
    if keys and isinstance(keys[0], str):
        name = getattr(scratch, "__name__", "rule")
        return f"write scratch=lambda w, dw, config: {name}(w, dw, config or {{{keys[0]!r}: ...}})"
    return ADVICE


def described(scratch: Any) -> str:
    return getattr(scratch, "__qualname__", "") or f"an object of {type(scratch).__qualname__}"


def moves(form: Form, errors: list[Exception]) -> float:
    """How many tensors move in the first steps; less than 1 where they are not finite or something is divided by 0."""
    rng = np.random.default_rng(0)
    start = {name: FAR + rng.standard_normal(shape) for name, shape in form.shapes.items()}
    try:
        with np.errstate(all="ignore"):
            running = form.begin({name: array.copy() for name, array in start.items()})
            for _ in range(TRIED):
                running.step({name: rng.standard_normal(array.shape) for name, array in start.items()})
            left = copied(running.weights())
    except Exception as error:
        errors.append(error)
        return 0.25 if isinstance(error, ArithmeticError) and place_of(error).file else 0
    if not all(np.isfinite(array).all() for array in left.values()):
        return 0.5
    return sum(apart({name: left[name]}, {name: start[name]}) > 0 for name in start)


def forms(scratch: Any, options: Options, errors: list[Exception]) -> Iterator[Form]:
    """What might be tried, from what is likeliest."""
    if isinstance(scratch, type):
        names, known = required(scratch, options)
        make = partial(scratch, **known)
        yield from of_things(make, options, errors) if not names else of_factories(make, len(names), options, errors)
    elif isinstance(scratch, types.MethodType) and not isinstance(scratch.__self__, type | types.ModuleType):
        owner = scratch.__self__
        yield from of_rules(lambda: again(owner), scratch.__name__, options, errors)
    elif isinstance(scratch, types.FunctionType | types.BuiltinFunctionType | types.MethodType | partial | np.ufunc):
        names, known = required(scratch, options)
        if not names:
            yield from of_things(lambda: kept(scratch)(**known), options, errors)
        if len(names) > 1:
            yield from of_rules(lambda: kept(scratch), "", options, errors)
        if names:
            yield from of_factories(lambda *held: kept(scratch)(*held, **known), len(names), options, errors)
    else:
        yield from of_things(lambda: again(scratch), options, errors)


def again(thing: Any) -> Any:
    """A copy, or the thing itself where it cannot be copied."""
    try:
        return kept(thing) if isinstance(thing, types.FunctionType) else deepcopy(thing)
    except Exception:
        return thing


def made(make: Make, errors: list[Exception], *held: Any) -> Any:
    try:
        return make(*held)
    except Exception as error:
        errors.append(error)
        return None


def methods(thing: Any) -> list[str]:
    """What of a thing may be its step; "" is the thing itself."""
    if thing is None or isinstance(thing, np.ndarray | dict | list | tuple | str | float | int):
        return []
    if isinstance(thing, types.FunctionType | Kept | partial):
        return [""]
    others = [
        name
        for name in dir(type(thing))
        if any(word in name for word in ("update", "step", "apply"))
        and name[0] != "_"
        and not name.startswith(("pre_", "post_"))
    ]
    return [name for name in dict.fromkeys((*METHODS, *others)) if callable(getattr(thing, name, None))]


def of_things(make: Make, options: Options, errors: list[Exception]) -> Iterator[Form]:
    """Of an object or function without parameters of its own: update(w, dw), update(params, grads), update(layer)."""
    thing = made(make, errors)
    for method in methods(thing):
        yield from of_rules(make, method, options, errors)
    for method in methods(thing):
        for arguments in asked(thing, method, options, ("weights",)):
            for bag in (bags.LAYER, bags.LAYERS, bags.PAIRS, bags.TENSORS, bags.TENSOR_DICT):
                told = f"{method or 'rule'}({arguments[0].name}) on {bag.told}"
                yield Form(told, "together", make, method, Manner(arguments), bag)


def of_rules(make: Make, method: str, options: Options, errors: list[Exception]) -> Iterator[Form]:
    """Of what takes weights and gradients: lists, dicts, single arrays."""
    thing = made(make, errors)
    for arguments in asked(thing, method, options, ("weights", "gradients")):
        for bag in (bags.LIST, bags.DICT):
            for grads in bags.GRADS_OF[bag.told]:
                for manner in manners(arguments):
                    told = f"{method or 'rule'}({manner.word()}) on {bag.told}"
                    yield Form(told, "together", make, method, manner, bag, grads)
        alone = isinstance(thing, types.FunctionType) and not spots_of(thing)
        alone = alone or any(one.role == "name" for one in arguments)
        for shared in (True,) if alone else (True, False):
            for manner in manners(arguments):
                told = f"{method or 'rule'}({manner.word()}) on each array"
                yield Form(told, "each", make, method, manner, shared=shared)


def of_factories(make: Make, count: int, options: Options, errors: list[Exception]) -> Iterator[Form]:
    """Of what makes an optimizer for its parameters: step(), step(grads), step(params, grads)."""
    made_of = {1: "weights", 2: "both"}.get(count)
    if made_of is None:
        return
    for bag in FACTORIES:
        for grads in bags.GRADS_OF.get(bag.told, []):
            zeros = {name: np.zeros(shape) for name, shape in USUAL.items()}
            held = (bag.pack(zeros), grads(zeros))[:count]
            thing = made(make, errors, *held)
            named = sorted(methods(thing), key=lambda name: name != "step")
            roles: list[tuple[Role, ...]] = [(), ("gradients",), ("weights", "gradients")]
            for needed in roles:
                for method in named if needed or bag.grads or made_of == "both" else []:
                    for arguments in asked(thing, method, options, needed):
                        for manner in manners(arguments):
                            told = f"an optimizer of {bag.told}, {method or 'called'}({manner.word()})"
                            yield Form(told, "together", make, method, manner, bag, grads, made_of)


def asked(thing: Any, method: str, options: Options, roles: tuple[Role, ...]) -> Iterator[list[Wanted]]:
    """The arguments of a method, if it may be called in these roles."""
    call = getattr(thing, method, None) if method else thing
    if isinstance(call, Kept):
        call = call.function
    if not callable(call):
        return
    try:
        yield wanted(call, options, roles)
    except TypeError:
        return


def manners(arguments: list[Wanted]) -> Iterator[Manner]:
    """What a state may begin with, and from where steps may be counted."""
    roles = {one.role for one in arguments}
    left = [one for one in arguments if one.role == "state" and not (one.optional and one.name.lower() not in STATES)]
    starts = ("{}", "None", "zeros") if left else ("None", "{}", "zeros") if "state" in roles else ("{}",)
    for start in starts:
        for first in (0, 1) if "count" in roles else (1,):
            yield Manner(list(arguments), start, first)


def source_of(scratch: Any) -> str:
    """The name that is told of a rule."""
    call = scratch.func if isinstance(scratch, partial) else scratch
    if isinstance(call, types.FunctionType) and call.__name__ == "<lambda>":
        named = [name for name in call.__code__.co_names if name[:1].isalpha()]
        told = next((name for name in named if callable(call.__globals__.get(name))), "")
        return told or next((n for n in call.__code__.co_freevars), "") or "scratch"
    return getattr(call, "__qualname__", type(call).__name__).rpartition("<locals>.")[2]
