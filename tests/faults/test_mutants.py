"""Of the mutation testing itself: the sites of a small source, how one is planted, and that a survivor is reported."""

import ast

import numpy as np
import pytest

from tests.mutants import run
from tests.mutants.killers import CHEAP, bench
from tests.mutants.plant import change_of
from tests.mutants.sites import Site, sites
from twofold import scratch

SOURCE = '''
LIMIT = 2

class Layer:
    """Text."""

    gates = 4

    def forward(self, x: int = 1, *, plain=False) -> float:
        """Text."""
        if x is None:
            raise ValueError("text 1")
        self.cache = x.sum(axis=0)[1:, None].copy()
        x += -1
        return x if plain else x @ self.cache.T
'''
CHANGES = {
    ("", "LIMIT = 2"): ["2 -> 3"],
    ("Layer", "gates = 4"): ["4 -> 5"],
    ("Layer.forward", "x=1"): ["1 -> 2"],
    ("Layer.forward", "plain=False"): ["False -> True"],
    ("Layer.forward", "if x is None:"): [
        "if x is None: -> if True:",
        "if x is None: -> if False:",
        "x is None -> x is not None",
    ],
    ("Layer.forward", "raise ValueError('text 1')"): ["dropped"],
    ("Layer.forward", "self.cache = x.sum(axis=0)[1:, None].copy()"): [
        "dropped",
        "x.sum(axis=0)[1:, None].copy() -> x.sum(axis=0)[1:, None]",
        "x.sum(axis=0)[1:, None] -> x.sum(axis=0)[:, None]",
        "x.sum(axis=0)[1:, None] -> x.sum(axis=0)[1:,]",
        "x.sum(axis=0) -> x.sum()",
        "axis=0 -> axis=1",
        "1: -> 2:",
    ],
    ("Layer.forward", "x += -1"): ["dropped", "x += -1 -> x -= -1", "x += -1 -> x = -1", "-1 -> 1", "-1 -> 0"],
    ("Layer.forward", "return x if plain else x @ self.cache.T"): [
        "return x if plain else x @ self.cache.T -> return None",
        "x if plain else x @ self.cache.T -> x",
        "x if plain else x @ self.cache.T -> x @ self.cache.T",
        "x @ self.cache.T -> x * self.cache.T",
        "x @ self.cache.T -> x",
        "self.cache.T -> self.cache",
    ],
}


def test_the_sites_of_a_source() -> None:
    tree = ast.parse(SOURCE)
    before, found = ast.dump(tree), {}
    for site in sites(tree, "layer.py"):
        assert ast.dump(tree) != before, site
        found.setdefault((site.function, site.line), []).append(site.change)
    assert found == CHANGES
    assert ast.dump(tree) == before


def test_every_site_has_a_name_of_its_own_and_what_is_listed_is_one() -> None:
    names = [site.name for file in run.files() for site in sites(run.source(file), file)]
    assert len(names) == len(set(names))
    assert run.listed().keys() <= set(names)
    assert len(run.listed()) <= run.MOST_LISTED * len(names)


def planted(file: str, function: str, change: str):
    tree = run.source(file)
    return next(change_of(tree, site) for site in sites(tree, file, function) if site.change == change)


ONE = scratch.Parameter(np.zeros(1))
PLANTED = [
    ("layers/activations.py", "sigmoid", "-x -> x", lambda: scratch.Sigmoid()(np.ones(1))[0] < 0.5),
    ("losses.py", "HalfMSELoss.forward", "super().forward(x, target) / 2 -> super().forward(x, target) / 3", None),
    ("optim.py", "Adam.__init__", "dropped", lambda: not hasattr(scratch.Adam([ONE]), "state")),
    ("optim.py", "SGD.__init__", "0.001 -> 0.002", lambda: scratch.SGD([ONE]).lr == 0.002),
    ("layers/recurrent.py", "LSTM", "4 -> 5", lambda: scratch.LSTM.gates == 5),
    ("layers/conv.py", "", "1 << 19 -> 1 >> 19", lambda: scratch.layers.conv.CHUNK_BYTES == 0),
]


@pytest.mark.parametrize(("file", "function", "change", "seen"), PLANTED)
def test_a_change_is_planted_where_it_belongs_and_taken_away_again(file, function, change, seen) -> None:
    seen = seen or (lambda: scratch.HalfMSELoss()(np.zeros(1), np.array([3.0])) == 3)
    assert not seen()
    with planted(file, function, change).planted():
        assert seen()
    assert not seen()


def test_a_wrong_layer_is_noticed_and_the_right_one_is_not() -> None:
    linear = bench("linear", "float64")
    with planted("layers/linear.py", "Linear.forward", "out += self.bias.data -> out -= self.bias.data").planted():
        assert linear.kills(CHEAP) == "forward of linear float64"
    assert linear.kills(CHEAP) == ""


SITES = [Site("a.py", "f", "x = 1", f"1 -> {n}", (3, 3)) for n in range(2, 42)]


@pytest.mark.parametrize(
    ("survivors", "listed", "status", "told"),
    [
        ([], [], 0, "a.py                                    40      40"),
        ([5], [], 1, "survives: a.py:3 f\n    x = 1\n    1 -> 7"),
        ([5], [5], 0, "2.5% of the sites are listed"),
        ([5], [5, 6], 1, "listed, but forward of linear: a.py | f | x = 1 | 1 -> 8"),
        ([5, 6, 7], [5, 6, 7], 1, "7.5% of the sites are listed as equivalent, at most 5% may be"),
    ],
)
def test_what_survives_is_told_and_must_be_listed(survivors, listed, status: int, told: str, capsys) -> None:
    results = [(site, "" if n in survivors else "forward of linear") for n, site in enumerate(SITES)]
    known = {SITES[n].name: "a reason" for n in listed}
    assert run.report(results, known, ["a.py"]) == status
    assert told in capsys.readouterr().out


def test_what_is_listed_and_gone_is_told(capsys) -> None:
    assert run.report([(site, "a check") for site in SITES], {("a.py", "g", "y = 1", "dropped"): "a reason"}, ["a.py"])
    assert "listed, but there is no such site: a.py | g | y = 1 | dropped" in capsys.readouterr().out
