"""Which layouts may be meant: by names, by order and shape with transposition, one vector of all."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from twofold.compare.judge.own.telling.verdict import BadCall
from twofold.compare.sides.foreign.layout import Entry, Layout, Misfit, entry_of, fits
from twofold.compare.sides.foreign.leaves import Leaf

MOST = 600  # candidates that are tried


def explicit(layout: Mapping[str, str], leaves: Sequence[Leaf], shapes: Mapping[str, tuple[int, ...]]) -> list[Entry]:
    """The entries that the user gives. Raises BadCall."""
    found = []
    for key, text in layout.items():
        names = tuple(part.strip() for part in key.split("+"))
        for name in names:
            if name not in shapes:
                raise BadCall(f"layout: expected names among {listed(shapes)}, found {name!r}")
        try:
            found.append(entry_of(names, text, leaves, shapes[names[0]]))
        except Misfit as error:
            known = listed([f"{leaf.name} {leaf.shape}" for leaf in leaves])
            raise BadCall(f"layout[{key!r}]: {error}; your arrays are {known}") from error
    return found


def listed(words: Any, most: int = 8) -> str:
    words = list(map(str, words))
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


Wanted = list[tuple[tuple[str, ...], tuple[int, ...]]]  # torch's names, a sum of two biases as one, and the shape


def wanted(shapes: Mapping[str, tuple[int, ...]], joined: bool) -> Wanted:
    """Torch's tensors in order; `joined` takes a recurrent layer's two biases for one."""
    found: Wanted = []
    for name, shape in shapes.items():
        twin = name.replace("bias_hh", "bias_ih")
        if joined and "bias_hh" in name and twin in shapes:
            continue
        other = name.replace("bias_ih", "bias_hh")
        both = joined and "bias_ih" in name and other in shapes
        found.append(((name, other) if both else (name,), shape))
    return found


def same_name(name: str, leaf: Leaf) -> bool:
    """Whether torch's name is the leaf's, or its whole path."""

    def bare(text: str) -> str:
        return re.sub(r"[\W_]+", ".", text.replace("'", "")).strip(".").lower()

    return bare(name) in (bare(leaf.name), bare(leaf.path))


def candidates(
    leaves: Sequence[Leaf], shapes: Mapping[str, tuple[int, ...]], fixed: Sequence[Entry]
) -> Iterator[list[Entry]]:
    """Layouts by names, order and shape, the likeliest first; all of torch's tensors that can be served are."""
    done = {name for entry in fixed for name in entry.names}
    given = Layout(tuple(leaves), tuple(fixed))
    open_shapes = {name: shape for name, shape in shapes.items() if name not in done}
    free = [leaf for leaf in leaves if not given.covered(leaf)]
    if not open_shapes:
        yield list(fixed)
        return
    if len(free) == 1 and len(open_shapes) > 1 and len(free[0].shape) == 1:
        for texts in from_one_vector(free[0], open_shapes):
            yield [*fixed, *(entry_of(names, text, leaves, open_shapes[names[0]]) for names, text in texts)]
        return
    made: dict[tuple[tuple[str, ...], str], Entry] = {}

    def entry(names: tuple[str, ...], text: str) -> Entry:
        if (names, text) not in made:
            made[names, text] = entry_of(names, text, leaves, open_shapes[names[0]])
        return made[names, text]

    forms = [wanted(open_shapes, joined=False), wanted(open_shapes, joined=True)]
    if len(free) < len(forms[0]) > len(forms[1]):
        forms.reverse()
    else:  # with an array for each no bias stands for two
        forms = forms[:1]
    for want in forms:
        named = {
            names: leaf for names, shape in want for leaf in free if same_name(names[0], leaf) and fits(leaf, shape)
        }
        rest = [leaf for leaf in free if leaf not in named.values()]
        for chosen in arrangements(want, rest, named):
            yield [*fixed, *(entry(names, text) for names, text in chosen.items())]


def arrangements(
    want: Wanted, free: Sequence[Leaf], named: Mapping[tuple[str, ...], Leaf]
) -> Iterator[dict[tuple[str, ...], str]]:
    """Each of torch's tensors with an unused leaf that fits. A square one is first taken as the others are."""
    turned = any(
        fits(leaf, shape)[:1] == [f"{leaf.name}.T"] for _, shape in want for leaf in free if len(fits(leaf, shape)) == 1
    )
    spare = len(want) - len(named) - len(free)

    def place(n: int, left: list[Leaf], missing: int) -> Iterator[dict[tuple[str, ...], str]]:
        if n == len(want):
            yield {}
            return
        names, shape = want[n]
        leaf = named.get(names)
        options = [leaf] if leaf is not None else [one for one in left if fits(one, shape)]
        for one in options:
            texts = fits(one, shape)
            if len(texts) == 2 and turned and leaf is None:
                texts.reverse()
            after = left if leaf is not None else [other for other in left if other is not one]
            for text in texts:
                for rest in place(n + 1, after, missing):
                    yield {names: text, **rest}
        if leaf is None and (not options or (missing > 0 and len(shape) == 1)):
            yield from place(n + 1, left, missing - 1)

    yield from islice(place(0, list(free), max(spare, 0)), MOST)


Texts = list[tuple[tuple[str, ...], str]]


def from_one_vector(leaf: Leaf, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Texts]:
    """One vector of all parameters: tensor after tensor, as they are or transposed, or a unit's weights and bias."""
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    if leaf.shape != (total,):
        return
    for turned in (False, True):
        texts: Texts = []
        start = 0
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            part = f"{leaf.name}[{start}:{start + size}]"
            if len(shape) > 1:
                part += f".reshape{shape[::-1]}.T" if turned else f".reshape{shape}"
            texts.append(((name,), part))
            start += size
        yield texts
    names = list(shapes)
    for last_one in (True, False):
        texts, start = [], 0
        for weight, bias in zip(names[::2], names[1::2], strict=False):
            if len(shapes[weight]) != 2 or shapes[bias] != shapes[weight][:1]:
                break
            out, width = shapes[weight]
            part = f"{leaf.name}[{start}:{start + out * (width + 1)}].reshape({out}, {width + 1})"
            texts.append(((weight,), part + ("[:, :-1]" if last_one else "[:, 1:]")))
            texts.append(((bias,), part + ("[:, -1]" if last_one else "[:, 0]")))
            start += out * (width + 1)
        if start == total:
            yield texts
