"""Work spread over processes comes back whole, and in order where that is asked for."""

from collections.abc import Iterator

import pytest

from twofold.compare.processes import gathered, in_order, spread


def test_every_item_comes_back_with_its_place() -> None:
    work = [(7, 2), (9, 4), (1, 3)]
    assert dict(spread(divmod, work, 2)) == {place: divmod(*item) for place, item in enumerate(work)}


def test_what_a_process_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(spread(divmod, [(1, 0)], 1))


def test_a_result_waits_for_those_before_it() -> None:
    taken = []

    def come() -> Iterator[tuple[int, str]]:
        for place in (1, 0, 3, 2):
            taken.append(place)
            yield place, "abcd"[place]

    found = in_order(come())
    assert next(found) == "a"
    assert taken == [1, 0]
    assert "".join(found) == "bcd"


def test_all_results_are_gathered_in_order_and_told_of() -> None:
    told = []
    found = gathered(divmod, [(7, 2), (9, 4), (1, 3)], 2, lambda done, result: told.append((done, result)))
    assert found == [(3, 1), (2, 1), (0, 1)]
    assert [done for done, _ in told] == [1, 2, 3]
    assert sorted(result for _, result in told) == sorted(found)
