"""What a report's training has learned: pictures that say something, and a sentence where they would not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.report.reports import KINDS, MADE_IN, green, run
from tests.report.test_pictures import GIVEN, trained
from twofold.compare.report import build
from twofold.compare.report.content import as_content, of_content
from twofold.compare.report.learned import SEEN, gradients, learned, told_confusion
from twofold.compare.report.page import plates
from twofold.compare.report.page.page import page
from twofold.compare.report.page.plate import Plate
from twofold.compare.strict import dumps
from twofold.compare.training.gradients import Watched
from twofold.compare.training.train import Configuration, Training

TITLES = {
    "signs": ["Confusion on the test set", "Misclassified", "Hidden units"],
    "filters": ["Confusion on the test set", "Misclassified", "Filters"],
    "signals": ["Confusion on the test set"],
    "words": ["The most probable next words"],
    "wave": ["The next value"],
    "autoencoder": ["Hidden units", "What hidden units add", "Reconstruction"],
}
PANEL = '<svg class="plot" role="img" aria-label="{}"></svg>'


@pytest.mark.parametrize("given", TITLES)
def test_a_training_shows_what_it_has_learned(given: str) -> None:
    training = trained(*GIVEN[given][:2])
    found = learned(training)
    assert [one.title.replace("Nearly m", "M") for one in found] == TITLES[given]
    for one in found:
        assert one.told.endswith(".") and sum(map(len, one.panels)) < 25_000
        assert all('role="img" aria-label="' in panel for panel in one.panels)
        assert one.panels or one.title.startswith(("The most", "Hidden", "Filters", "What"))


def test_weights_that_have_hardly_moved_are_not_drawn() -> None:
    pair, data, _ = GIVEN["signs"]
    training = Training(pair, data, Configuration(pair.name, "scratch", "float64", "cpu", 0, "embedded"))
    *_, noise = learned(training)
    assert not noise.panels and noise.told.endswith("would show the noise that they began as.")
    state = training.side.state()
    training.side.load({name: array * (1 + 2 * SEEN) for name, array in state.items()})
    *_, shown = learned(training)
    assert len(shown.panels) == 1 and f"moved by {200 * SEEN:.3g} %" in shown.told


def test_a_confusion_in_words() -> None:
    classes = ("a", "b")
    assert told_confusion(np.array([[3, 2], [0, 4]]), classes) == (
        "7 of 9 test records are right, on the diagonal; most often, 2 times, a is taken for b."
    )
    assert told_confusion(np.diag([3, 4]), classes).endswith("; none is off it.")


def test_gradients_on_their_way_back() -> None:
    pair, data, _ = GIVEN["signals"]
    training = Training(pair, data, Configuration(pair.name, "scratch", "float64", "cpu", 0, "embedded"))
    watched = Watched(training)
    watched.record(*training.batch(0))
    training.one_step()
    watched.stepped()
    found = gradients(watched)
    assert len(found.panels) == 3 and found.told.startswith("At 1 of the steps norms lie between ")
    assert 'aria-label="recurrent: gradient of its state through time.' in found.panels[1]


def test_what_cannot_be_drawn_costs_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: object) -> None:
        raise ValueError("no")

    training = trained(*GIVEN["words"][:2])
    monkeypatch.setattr(build, "learned", raising)
    (told,) = build.pictures(training, Watched(training))
    assert told.told.startswith("They could not be drawn: ValueError: no") and not told.panels


def test_steps_are_watched_from_the_first_to_the_last() -> None:
    assert build.spread_over(10) == {0, 3, 6, 9}
    assert build.spread_over(1) == {0}


def test_both_sides_stand_once_where_they_are_the_same() -> None:
    def of(*told: str) -> Plate:
        return Plate("Filters", told[0], tuple(map(PANEL.format, told)))

    def shown(ours: list[Plate], theirs: list[Plate]) -> list[Plate]:
        runs = {"scratch": replace(run([1.0]), pictures=ours), "reference": replace(run([1.0]), pictures=theirs)}
        return plates.learned(replace(green(), runs=runs))  # type: ignore[arg-type]

    (same,) = shown([of("one.")], [of("one.")])
    assert same.told == "one. Both sides' are the same." and len(same.panels) == 1
    (other,) = shown([of("one.")], [of("two.")])
    assert other.told == "Scratch: one. Reference: two." and len(other.panels) == 2
    assert shown([of("one.")], []) == [of("one.")]


def test_pictures_stand_in_the_report_and_are_drawn_of_it_again() -> None:
    shown = Plate("Filters", "told <b>", (PANEL.format("seen"),))
    runs = {side: replace(one, pictures=[shown]) for side, one in KINDS["green"].runs.items()}  # type: ignore[type-var]
    report = replace(green(), runs=runs)  # type: ignore[arg-type]
    content = json.loads(dumps(as_content([report], MADE_IN)))
    (again,) = of_content(content)
    assert again.runs == report.runs
    text = page([again], MADE_IN, "today")
    assert PANEL.format("seen") in text and "told &lt;b&gt; Both sides&#39; are the same." in text
    assert "pictures" not in content["training"][0]["sides"]["scratch"]
    content["pairs"][0]["runs"]["scratch"]["pictures"][0]["panels"] = ["<script>alert(1)</script>"]
    with pytest.raises(ValueError):
        of_content(content)
