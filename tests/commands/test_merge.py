"""The shards of a check merged are one run's to the byte, but for its seconds; nothing else is taken for its shards."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.command import twofold
from twofold.compare.faults import FAULTS
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.pair import Case
from twofold.compare.pairs import PAIRS
from twofold.compare.report.junit import as_junit
from twofold.compare.report.results import as_json, of_json

FEW = [CHECKS_BY_NAME[name] for name in ("names", "exact", "forward", "gradient")]
PLANTED = ("lstm-cell-of-the-step", "F2", "tanh-not-squared", "softmax-of-the-sum", "workspace-returned")
WORK = ("catcar-mlp", "trigram-lm", "--device", "cpu", "--seed", 3)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some checks alone."""

    def run_all(work: Sequence[tuple[Case, str, str]], seed: int, *more: Any) -> Iterator[battery.Result]:
        return (battery.run(*item, seed, checks=FEW) for item in work)

    monkeypatch.setattr(battery, "run_all", run_all)


def without_times(path: Path) -> str:
    return re.sub(r'("seconds": |time=")[0-9.]+', r"\1", path.read_text())


@pytest.mark.usefixtures("few")
def test_merged_is_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = [tmp_path / "one.json", tmp_path / "one.xml"]
    assert twofold("check", *WORK, "--json", one[0], "--junit", one[1]) == 0
    printed = capsys.readouterr().out
    files = [tmp_path / f"{n}.json" for n in range(1, 6)]
    for n, file in enumerate(files, 1):
        assert twofold("check", *WORK, "--shard", f"{n}/5", "--json", file) == 0
    assert "no trial falls to shard 5/5: there are 4" in capsys.readouterr().out
    merged = [tmp_path / "all.json", tmp_path / "all.xml"]
    assert twofold("merge", *reversed(files), "--json", merged[0], "--junit", merged[1]) == 0
    assert [without_times(path) for path in merged] == [without_times(path) for path in one]
    assert seconds_left_out(capsys.readouterr().out) == seconds_left_out(printed)


def seconds_left_out(text: str) -> str:
    return re.sub(r"[0-9.]+ s of computing", "", text)


@pytest.mark.usefixtures("few")
def test_the_environment_names_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert twofold("check", *WORK, "--shard", "env", "--json", tmp_path / "a.json") == 0
    assert twofold("check", *WORK, "--shard", "2/2", "--json", tmp_path / "b.json") == 0
    assert without_times(tmp_path / "a.json") == without_times(tmp_path / "b.json")


FOREIGN: dict[str, tuple[Callable[[Any], object], str]] = {
    "another seed": (lambda c: c["shard"]["run"].update(seed=4), "expected a shard of a run with seed 3"),
    "another torch": (lambda c: c["shard"]["with"].update(torch="1.0"), "expected a shard made with torch"),
    "one result less": (lambda c: c["results"].pop(), "as it was written, found something else"),
    "the same result twice": (lambda c: c["results"].append(c["results"][0]), "found something else"),
    "another's result": (lambda c: c["results"][0].update(pair="mine"), "found something else"),
    "a check less": (lambda c: c["results"][0]["checks"].pop(), "found something else"),
    "another verdict": (lambda c: c["results"][0].update(verdict="fail"), "found something else"),
    "a word for a number": (
        lambda c: c["results"][0]["checks"][0]["quantities"][0].update(error="small"),
        "found something else",
    ),
    "no results": (lambda c: c.pop("results"), "found something else"),
    "no environment": (lambda c: c.pop("environment"), "found something else"),
    "no shard": (lambda c: c.pop("shard"), "expected a shard, as --shard K/N --json FILE writes it"),
    "a shard of another command": (lambda c: c["shard"]["run"].update(command="bench"), "command check"),
}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(battery, "run_all", lambda work, seed, *more: (battery.run(*w, seed, checks=FEW) for w in work))
        files = [tmp_path_factory.mktemp("two") / f"{n}.json" for n in (1, 2)]
        for n, file in enumerate(files, 1):
            assert twofold("check", "catcar-mlp", *WORK[2:], "--shard", f"{n}/2", "--json", file) == 0
    return [json.loads(file.read_text()) for file in files]


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_shard_is_refused(
    kind: str, two: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, told = FOREIGN[kind]
    contents = json.loads(json.dumps(two))
    change(contents[1])
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for file, content in zip(files, contents, strict=True):
        file.write_text(json.dumps(content))
    assert twofold("merge", *files, "--json", tmp_path / "all.json") == 2
    printed = capsys.readouterr()
    assert told in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert not (tmp_path / "all.json").exists()


def test_hosts_that_differ_are_told(two: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In what decides no result, such as the number of processors."""
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for n, (file, content) in enumerate(zip(files, two, strict=True)):
        content = json.loads(json.dumps(content))
        content["environment"]["cpus"] = 64 + n
        file.write_text(json.dumps(content))
    assert twofold("merge", *files, "--json", tmp_path / "all.json") == 0
    assert "not every shard has the same cpus: 64, 65" in capsys.readouterr().out
    assert json.loads((tmp_path / "all.json").read_text())["environment"]["cpus"] == [64, 65]


def test_what_is_no_json_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in (("a.json", "{"), ("b.json", "[1]"), ("c.json", "3")):
        (tmp_path / name).write_text(content)
    for name in ("a.json", "b.json", "c.json", "none.json", "."):
        assert twofold("merge", tmp_path / name) == 2
        assert capsys.readouterr().err.startswith(f"twofold: {tmp_path / name}: expected a shard")


@pytest.mark.parametrize("name", [name for name in PLANTED if any(fault.id == name for fault in FAULTS)])
def test_results_are_read_as_they_were_written(name: str) -> None:
    """Failures with their place, line, gates, cause and numbers without bound."""
    fault = next(fault for fault in FAULTS if fault.id == name)
    case = PAIRS[fault.home or "activity-lstm"].case() if (fault.home or "activity-lstm") in PAIRS else None
    assert case is not None
    with fault.planted():
        result = battery.run(case, "float64", checks=[CHECKS_BY_NAME[n] for n in ("forward", "gradient", "twice")])
    written = as_json([result])
    again = of_json(json.loads(json.dumps(written))["results"][0])
    assert not again.passed and as_json([again]) == written
    (suite,) = ElementTree.fromstring(as_junit([again]))
    failing = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failing == [f.check for f in result.findings if f.verdict in ("fail", "vacuous")]
    assert suite.get("failures") == str(len(failing))
