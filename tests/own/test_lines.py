"""The line that is wrong: a verdict's place is the faulty one, or the first that uses what it binds.

`python -m tests.own.table` prints the place of every case. Those placed at a first use are named in FIRST_USES, those
placed elsewhere or nowhere in MISSED, each with its reason; a case that is mended must be taken out, or the test fails.
"""

import pytest

from tests.own.case import PLACES, Truth
from tests.own.judged import cases, judged
from tests.own.lines import faulty, first_uses
from tests.own.truth import LAYOUTS, TRUTH
from twofold import judge

BEFORE = """\
class Layer:
    def forward(self, x):
        self.x = x
        z = x @ self.w
        self.seen.append(z)
        return np.tanh(z)

    def backward(self, d):
        d = d / len(d)
        d[self.x < 0] = 0
        grads = {"w": 0}
        grads["w"] = self.x.T @ d
        grads["b"] = d.sum()
        for k in (1, 0):
            d = d @ self.w.T
        return (
            d,
            grads,
        )

def run(layer, x):
    return layer.forward(x)
"""
EXAMPLES = {  # what is exchanged, the faulty lines, the first uses, by hand
    "a name, and what is put away": ("x @ self.w\n", "x @ self.v\n", (4,), (5, 6)),
    "an entry of a dict": ('grads["w"] = self.x.T @ d', 'grads["w"] = self.x @ d', (12,), (16, 17, 18, 19)),
    "an attribute": ("self.x = x", "self.x = 2 * x", (3,), (10, 12)),
    "what is returned": ("return np.tanh(z)", "return z", (6,), (22,)),
    "round the loop": ("d = d @ self.w.T", "d = d @ self.w", (15,), (16, 17, 18, 19)),
    "a hole": ("        d = d / len(d)\n", "", (8, 9), (11,)),
    "within a statement of four lines": ("            d,\n", "            -d,\n", (16, 17, 18, 19), ()),
    "some entries": ("d[self.x < 0] = 0", "d[self.x > 0] = 0", (10,), (12,)),
}


@pytest.mark.parametrize("what", EXAMPLES)
def test_lines_by_hand(what: str) -> None:
    old, new, lines, users = EXAMPLES[what]
    after = BEFORE.replace(old, new)
    assert (faulty(BEFORE, after), first_uses(BEFORE, after)) == (lines, users)


WITH_A_LINE = tuple(truth for truth in TRUTH if truth.has_line)
FIRST_USES = frozenset(
    (
        "params-dict:overflow",
        "layer-functions:dout",
        "layer-functions:cache",
        "batch-norm:gamma",
        "numpy-ml:added",
        "lstm-columns:tanh",
        "char-rnn:carried",
        "lists-of-references:stale",
        "lists-of-references:carried",
        "update-rules:uncorrected",
        "references-attention:scale",
        "mutant-updated-inside:grown",
    )
)
MISSED = {  # a case's name: why its line is not named
    "cnn-blog:jacobian": "the weights are named first: torch has no such outer product",
    "layers-from-nothing:stale": "no line of a call: the list was made with the object",
    "rnn-blog:truncated": "a default argument",
    "nodes-with-diffs:added": "a line is lacking: the sum that goes on from the call before is named",
    "gru-cell:through": "a term is lacking, one step later",
    "scalars:overwritten": "a sum over a set: the watched run is another by rounding",
    "scalars:added": "a line is lacking: the caller is named",
    "update-rules:first": "the counter of steps is an integer",
    "update-rules:stale": "a copy made with the object",
    "two_modes-carried:state": "the state is an index of a list",
}

# Sums over sets go in the order of addresses: where the watched run is another by rounding it is dropped, and where it
# is not, the line is found. What else may be said of a case.
BY_ADDRESS = {
    "scalars:tanh": ("none",),
    "scalars:overwritten": ("faulty line", "first use"),
    "scalars:added": ("first use",),
}


@pytest.mark.parametrize("truth", cases(WITH_A_LINE))
def test_the_line_is_named(truth: Truth) -> None:
    call, verdict = judged(truth)
    faulty_line, first_use, *missed = PLACES
    expected = missed if truth.name in MISSED else [first_use if truth.name in FIRST_USES else faulty_line]
    expected = [*expected, *BY_ADDRESS.get(truth.name, ())]
    told = f"{verdict.place.file}:{verdict.place.line}, faulty are {truth.lines}, their first uses {truth.users}"
    assert truth.placed(call, verdict.place) in expected, f"{told}\n{verdict}"


@pytest.mark.parametrize("name", ["tied-shared:other-use", "tied-outside:other-use"])
def test_what_one_use_of_several_adds(name: str) -> None:
    """A tied matrix whose other use is forgotten: what hands on the gradient of the one, whose line is right."""
    truth = next(truth for truth in LAYOUTS if truth.name == name)
    call = truth.make()
    verdict = judge(*call.arguments, dtypes=("float64",), **call.keywords)
    assert truth.placed(call, verdict.place) == PLACES[0], str(verdict)
    assert "is what one use adds to torch's gradient" in dict(verdict.lines)["begins"]


def test_what_a_call_leaves_for_the_next_is_told_with_both_lines() -> None:
    _, verdict = judged(next(truth for truth in TRUTH if truth.name == "small-mlp:cache"))
    told = dict(verdict.lines)
    assert "line 34, is the first that is another then: what line 39 made in an earlier call" in told["begins"], told
    assert "hidden += 1" in told["line"] and verdict.place.line == 39


def test_most_are_the_faulty_line() -> None:
    names = {truth.name for truth in WITH_A_LINE}
    assert FIRST_USES | set(MISSED) <= names
    assert not FIRST_USES & set(MISSED)
    assert len(FIRST_USES) + len(MISSED) <= 0.2 * len(names)
