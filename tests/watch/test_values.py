"""How far what a statement names can be followed, and what stands there, without running anything."""

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from twofold.compare.watch.statements import Chain
from twofold.compare.watch.values import arrays_in, attribute, is_plain, resolved


class Layer:
    shared = np.full(1, 9.0)

    def __init__(self, w: float) -> None:
        self.w, self.params = np.full(2, w), {"W1": np.full(2, 10 * w), "cache": [np.full(1, 0.5)]}

    @property
    def computed(self) -> Any:
        raise AssertionError

    def method(self) -> None: ...


class Slotted(Layer):
    __slots__ = ("_Slotted__private", "empty")

    def __init__(self) -> None:
        super().__init__(3.0)
        self.__private = np.full(1, 4.0)


SCOPE: dict[str, Any] = {
    "x": np.ones(3),
    "layer": Layer(1.0),
    "layers": [Layer(1.0), Layer(2.0)],
    "slotted": Slotted(),
    "t": 2,
    "g": "1",
    "config": ModuleType("config"),
    "cache": {0: np.zeros(1), 1: np.ones(1), -1: np.full(1, 7.0)},
    "objects": [Layer(1.0)],
}
vars(SCOPE["config"])["rate"] = 0.1
CHAINS: dict[str, tuple[Chain, list[tuple[str, bool, Any]]]] = {  # as text, whether it is all of it, its first number
    "a name": (("x", ()), [("x", True, 1)]),
    "none": (("nowhere", ()), []),
    "an attribute": (("layer", (("attribute", "w"),)), [("layer.w", True, 1)]),
    "of the class": (("layer", (("attribute", "shared"),)), [("layer.shared", True, 9)]),
    "a method": (("layer", (("attribute", "method"),)), []),
    "a property": (("layer", (("attribute", "computed"),)), []),
    "a slot": (("slotted", (("attribute", "_Slotted__private"),)), [("slotted._Slotted__private", True, 4)]),
    "an empty slot": (("slotted", (("attribute", "empty"),)), []),
    "beside slots": (("slotted", (("attribute", "w"),)), [("slotted.w", True, 3)]),
    "a module's": (("config", (("attribute", "rate"),)), [("config.rate", True, 0.1)]),
    "a key": (("layer", (("attribute", "params"), ("key", "W1"))), [("layer.params['W1']", True, 10)]),
    "no key": (("layer", (("attribute", "params"), ("key", "W2"))), []),
    "a computed key": (("cache", (("computed", "t - 1"),)), [("cache[1]", True, 1)]),
    "a computed index": (("layers", (("computed", "t - 1"), ("attribute", "w"))), [("layers[1].w", True, 2)]),
    "out of range": (("layers", (("computed", "t"), ("attribute", "w"))), []),
    "by name": (("layer", (("attribute", "params"), ("computed", "'W' + g"))), [("layer.params['W1']", True, 10)]),
    "getattr": (("layer", (("named", "'w'"),)), [("layer.w", True, 1)]),
    "every element": (
        ("layers", (("any", None), ("attribute", "w"))),
        [("layers[0].w", True, 1), ("layers[1].w", True, 2)],
    ),
    "an element of an array": (("x", (("computed", "t"),)), [("x", False, 1)]),
    "a method of an array": (("x", (("attribute", "T"),)), [("x", False, 1)]),
}


@pytest.mark.parametrize("what", CHAINS)
def test_where_a_chain_leads(what: str) -> None:
    chain, expected = CHAINS[what]
    frame: Any = SimpleNamespace(f_globals={})
    found = []
    for text, value, whole in resolved(chain, frame, SCOPE):
        found += [(text + path, whole, array.flat[0]) for path, array in arrays_in(value, lambda file: False)]
    assert found == expected


def test_objects_are_looked_into_where_their_files_are_watched() -> None:
    assert [path for path, _ in arrays_in(SCOPE["layer"], __file__.__eq__)] == [
        ".w",
        ".params['W1']",
        ".params['cache'][0]",
    ]
    assert not list(arrays_in(SCOPE["layer"], lambda file: False))
    assert sorted(path for path, _ in arrays_in(SCOPE["slotted"], __file__.__eq__))[0] == "._Slotted__private"


def test_depth_and_number_are_bounded() -> None:
    deep: Any = np.ones(1)
    for _ in range(10):
        deep = [deep]
    assert not list(arrays_in(deep, lambda file: True))
    assert len(list(arrays_in([1.0] * 10_000, lambda file: True))) == 400


def test_only_plain_values_are_computed_with() -> None:
    class Index(int):
        def __add__(self, other: object) -> int:
            raise AssertionError

    frame: Any = SimpleNamespace(f_globals={})
    for index in (Index(1), [Index(1)], Layer(1.0)):
        assert not is_plain(index)
        key = "t[0] + 1" if isinstance(index, list) else "t + 1"
        found = list(resolved(("cache", (("computed", key),)), frame, {"cache": {2: 1.0}, "t": index}))
        assert found == [("cache", {2: 1.0}, True)]
    assert is_plain((1, "a", [2.0, None], np.int64(3)))
    assert attribute(SCOPE["layer"], "nothing") is None


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    values = {
        "a": torch.ones(2, requires_grad=True),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "whole": torch.ones(2, dtype=torch.int64),
        "sparse": torch.eye(2).to_sparse(),
        "meta": torch.ones(2, device="meta"),
    }
    found = dict(arrays_in(values, lambda file: False))
    assert list(found) == ["['a']", "['half']"]
    assert found["['half']"].dtype == np.float32
