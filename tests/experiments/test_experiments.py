"""Every experiment of the sources, as a reader runs it: slow, and left out of CI; `make experiments` runs them."""

import re

import pytest

from tests.experiments.run import PAGE, Experiment, experiments, place, run
from tests.places import REAL_DATA

TABLE = experiments()


@pytest.mark.slow
@pytest.mark.parametrize("one", TABLE, ids=[one.key for one in TABLE])
def test_on_the_embedded_data(one: Experiment) -> None:
    printed = run(one, "embedded")
    for line in one.holds:
        assert re.search(line, printed), f"{line!r} is not in\n{printed}"
    assert (place(one, "embedded") / one.picture).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("one", [one for one in TABLE if one.data], ids=[one.key for one in TABLE if one.data])
def test_on_the_real_data(one: Experiment) -> None:
    if not REAL_DATA.is_dir():
        pytest.skip("no real data files beside the checkout (../shared/data)")
    run(one, "real")
    assert (place(one, "real") / one.picture).is_file()


def test_names_are_unique() -> None:
    assert len({one.key for one in TABLE}) == len(TABLE)


def test_the_page_has_every_experiment_with_its_command() -> None:
    page = PAGE.read_text()
    for one in TABLE:
        assert f"## {one.name}\n\n    twofold {one.command}\n" in page, (
            f"{one.name}: `make experiments` writes the page"
        )
