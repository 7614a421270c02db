"""Work spread over processes comes back whole, and in order where that is asked for."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.places import ROOT
from twofold.compare.errors import BadInput
from twofold.compare.processes import gathered, in_order, spread


def test_every_item_comes_back_with_its_place() -> None:
    work = [(7, 2), (9, 4), (1, 3)]
    assert dict(spread(divmod, work, 2)) == {place: divmod(*item) for place, item in enumerate(work)}


def test_what_a_process_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(spread(divmod, [(1, 0)], 1))


def test_a_process_that_is_killed_is_one_line() -> None:
    with pytest.raises(BadInput, match="--jobs 2: expected every process to finish its work, found one"):
        list(spread(os._exit, [(9,), (9,), (9,)], 2))


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


WORKING = """
import sys, time
from twofold.compare.processes import spread
if __name__ == "__main__":
    for _ in spread(time.sleep, [(600,), (600,)], 2):
        pass
"""


def children(pid: int) -> list[int]:
    """A process's children that are spawned workers, by what their command lines say."""
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{one}/stat") as stat, open(f"/proc/{one}/cmdline") as line:
                if int(stat.read().rpartition(")")[2].split()[1]) == pid and "spawn_main" in line.read():
                    found.append(int(one))
        except OSError:  # ended meanwhile
            continue
    return found


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="workers are counted in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(number: int, tmp_path: object) -> None:
    script = f"{tmp_path}/working.py"
    with open(script, "w") as file:
        file.write(WORKING)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, script], env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while len(workers := children(parent.pid)) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        assert len(workers) == 2
        time.sleep(1)  # for them to have begun
        parent.send_signal(number)
        assert parent.wait(30) != 0
        until = time.monotonic() + 30
        while any(map(alive, workers)) and time.monotonic() < until:
            time.sleep(0.1)
        assert not any(map(alive, workers))
    finally:
        parent.kill()
