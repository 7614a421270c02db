"""How a style's net becomes a case with its arrays kept otherwise, and how a case says what torch's tensors must be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from tests.own.case import Array, Call, Truth, file_of, maker, module
from tests.own.styles.stored import Stored
from tests.own.tables.kept import dense, images, objects, recurrent
from tests.own.tables.kept.owner import Owner, Parts, texts

Texts = Mapping[str, str]
Ways = Texts | Sequence[Texts]  # several where a net is symmetric
SCOPE = {name: getattr(np, name) for name in ("concatenate", "stack", "vstack", "hstack", "zeros", "flip", "r_", "eye")}


def evaluated(texts: Texts, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Each expression over these arrays."""
    return {name: eval(text, {**SCOPE, **arrays}) for name, text in texts.items()}


def drawn(arrays: Mapping[str, Array]) -> dict[str, Array]:
    rng = np.random.default_rng(31)
    return {name: rng.standard_normal(np.shape(value)) for name, value in arrays.items()}


NETS = dense, images, objects, recurrent
OWNERS: dict[str, Owner] = {name: owner for table in NETS for name, owner in table.OWNERS.items()}


def kept(owner: Owner, way: str, edits: Texts) -> Callable[[], Call]:
    """A maker: the net's file with these edits, its arrays kept in a way that is written over its own names."""

    def make() -> Call:
        made = module(owner.file, edits)
        with torch.random.fork_rng(devices=[]):
            scratch, reference, data, given = getattr(made, owner.call)()
        parts = Parts(made, scratch, data, given)
        both = scratch if isinstance(scratch, tuple) or not owner.pair else (scratch.forward, scratch.backward)
        stored = Stored(
            both, owner.slots(parts), lambda own: evaluated(texts(way), own), owner.read(parts), given.get("step")
        )
        keywords = {key: value for key, value in given.items() if key not in ("layout", "grads")}
        keywords |= {"params": stored.kept}
        if owner.pair:
            keywords["grads"] = lambda: stored.grads
        if "step" in keywords:
            keywords["step"] = stored.step
        again = (stored.forward, stored.backward) if owner.pair else stored.once
        arrays = drawn(stored.kept)
        torchs = evaluated(owner.torch, stored.form.own(arrays))
        return Call((again, reference, *data), keywords, file_of(made), arrays, (torchs,))

    return make


def right(net: str, name: str, way: str, edits: Texts | None = None, torchs: Texts | None = None) -> Truth:
    """Where edits make another net of it that torch has too, `torchs` are the tensors that then differ."""
    owner = replace(OWNERS[net], torch={**OWNERS[net].torch, **(torchs or {})})
    return Truth(f"{net}/{name}", owner.style, kept(owner, way, edits or {}), file=owner.file, brief=name != "shuffled")


def wrong(net: str, name: str, way: str, edits: Texts, kind: str, side: str = "scratch") -> Truth:
    owner = OWNERS[net]
    return Truth(f"{net}/{name}", owner.style, kept(owner, way, edits), "different", side, (), kind, owner.file, edits)


def written(
    name: str,
    style: int,
    file: str,
    torchs: Ways = (),
    call: str = "call",
    base: Texts | None = None,
    lined: bool = True,
) -> Truth:
    """A net that is really so, after edits that are no mistake; torch's tensors over the names in its params."""
    make = telling(maker(file, call, base or {}, lined), torchs)
    return Truth(name, style, make, file=file, base=base or {}, lined=lined)


def mistaken(
    name: str,
    style: int,
    file: str,
    edits: Texts,
    kind: str,
    side: str = "scratch",
    call: str = "call",
    base: Texts | None = None,
    lined: bool = True,
) -> Truth:
    """The same with a mistake."""
    base = base or {}
    make = maker(file, call, {**base, **edits}, lined)
    return Truth(name, style, make, "different", side, (), kind, file, edits, base, lined=lined)


def telling(make: Callable[[], Call], torchs: Ways) -> Callable[[], Call]:
    """The same call with numbers for its params, and torch's tensors at those."""
    ways = (torchs,) if isinstance(torchs, Mapping) else tuple(torchs)

    def made() -> Call:
        call = make()
        arrays = drawn(call.keywords["params"]) if ways else {}
        return replace(call, arrays=arrays, torch=tuple(evaluated(way, arrays) for way in ways))

    return made


def stacked(name: str, order: str, torchs: str, size: int = 4) -> str:
    """The gates of a stacked array, along its first axis, in torch's order."""
    parts = [f"{name}[{order.index(gate) * size}:{order.index(gate) * size + size}]" for gate in torchs]
    return f"concatenate([{', '.join(parts)}])"
