"""What is wrong with a pair, in one sentence; then its cause, its line, and the command that shows it again."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Divergence, Finding, Verdict
from twofold.compare.report.killing import escaped
from twofold.compare.report.pair import About, PairReport
from twofold.compare.report.sources import raised_at
from twofold.compare.report.telling.following import clusters, decisive, side_of
from twofold.compare.report.telling.verdicts import BLAMED, place, titled, undecided, unproven, verdict_of


@dataclass(frozen=True)
class Diagnosis:
    """`told` is the sentence without the pair's name; what is not known is ""."""

    pair: str
    told: str
    verdict: Verdict
    cause: str = ""
    why: str = ""  # who is wrong, by what
    place: str = ""  # file:line
    text: str = ""  # of that line
    edit: str = ""
    command: str = ""
    follows: str = ""

    @property
    def headline(self) -> str:
        return f"{self.pair}: {self.told}"

    @property
    def kind(self) -> tuple[str, ...]:
        """What several pairs have in common that have one mistake: of a line it is the line."""
        return (str(self.verdict), self.place or self.told.partition(" (")[0])


def diagnosis(report: PairReport) -> Diagnosis | None:
    """Of a pair with which anything is wrong, the gravest; None where nothing is."""
    name, bad = report.about.name, [result for result in report.judged if not result.passed]
    if report.stopped:
        told = "skipped, and nothing is proven of it" if report.skipped else "it could not be measured"
        return Diagnosis(name, told, report.verdict, report.stopped, command="" if report.skipped else check(report))
    failing = [result for result in bad if result.verdict is Verdict.FAIL]
    if failing:
        return of_failure(report, failing)
    if report.training is Verdict.FAIL:
        return of_training(report)
    if bad:
        reasons = [f"{verdict}: {reason} ({', '.join(names)})" for (verdict, reason), names in unproven(bad[0]).items()]
        command = check(report, bad[0])
        return Diagnosis(name, undecided(bad[0]), report.verdict, "; ".join(reasons), command=command)
    if report.training is not Verdict.PASS:
        return of_training(report)
    if isinstance(report.full_size, str):
        told = "its gradient at recipe size could not be taken"
        return Diagnosis(name, told, report.verdict, report.full_size, command=f"{check(report)} --full")
    if lines := escaped(report.faults):
        many = "a mistake planted on purpose is" if len(lines) == 1 else f"{len(lines)} planted mistakes are"
        told = "no mistakes could be planted" if isinstance(report.faults, str) else f"{many} not found"
        command = f"twofold faults {shlex.quote(name)}"
        return Diagnosis(name, told, Verdict.FAIL, lines[0], command=command)
    return None


def of_failure(report: PairReport, failing: Sequence[Result]) -> Diagnosis:
    result = failing[0]
    finding = decisive(result)
    assert finding is not None  # one fails
    blame = finding.blame.reason if finding.blame else ""
    spot = finding.spot or raised_at(report.sources, finding.reason)
    cause = finding.probable_cause or finding.reason or blame
    here = result not in report.results
    trials = titled(failing, report.judged).removeprefix(result.pair)
    return Diagnosis(
        report.about.name,
        sentence(report.about, result, finding) + (trials if len(report.results) > len(failing) and not here else ""),
        Verdict.FAIL,
        cause,
        blame if blame != cause else finding.reason if finding.reason != cause else "",
        spot.place if spot else "",
        spot.text if spot else "",
        spot.edit if spot else "",
        check(report, result) + (" --full" if here else ""),
        followed(failing),
    )


def sentence(about: About, result: Result, finding: Finding) -> str:
    """Who is wrong, in which method of which class, and where in a sequence that begins."""
    where = finding.first_divergence
    if where is None or side_of(finding) == "pair":
        return verdict_of(result)
    told = f"{BLAMED[side_of(finding)]} in {method(about, where)}"
    if finding.gates:
        told += f", {finding.gates.line().partition(': ')[2].partition(';')[0]}"
    if not finding.quantities and finding.reason:  # what fails without a comparison was raised
        told += f", and {finding.reason.partition(':')[0]} is raised"
    return told


def method(about: About, where: Divergence) -> str:
    """As "LSTM.backward (recurrent)"; what is no class of the pair's as it is told elsewhere."""
    stages = {"forward": "forward", "backward": "backward", "loss": "forward", "optimizer": "step"}
    owner = about.layers.get("optimizer" if where.stage == "optimizer" else where.module)
    if not owner or where.stage not in stages:
        return place(where)
    named = where.tensor or where.module
    more = [f"step {where.step}"] if where.step else []
    more += ["in evaluation mode"] if where.evaluating else []
    more = [*([named] if named not in ("", "loss") else []), *more]
    return f"{owner}.{stages[where.stage]}" + (f" ({', '.join(more)})" if more else "")


def followed(failing: Sequence[Result]) -> str:
    """What else fails, counted."""
    found = [clusters(result) for result in failing]
    rest = sum(len(these[0].rest) for these in found) + len(failing) - 1
    own = list(dict.fromkeys(cluster.head.check for these in found for cluster in these[1:]))
    trials = f"in {len(failing)} trials" if len(failing) > 1 else ""
    told = [" ".join(filter(None, (f"{rest} other failure{'s' * (rest != 1)}", trials)))] if rest else []
    told += [f"{len(own)} that {'do' if len(own) > 1 else 'does'} not: {', '.join(own)}"] if own else []
    return "; ".join(told)


def of_training(report: PairReport) -> Diagnosis:
    """Of a training that raised."""
    name, raised = report.about.name, {side: run for side, run in report.runs.items() if isinstance(run, str)}
    if not raised:
        return Diagnosis(name, "the reference's twin raises in training", report.verdict, str(report.twin))
    side, cause = next(iter(raised.items()))
    told = f"{' and '.join(raised)} raise{'s' * (len(raised) == 1)} in training"
    command = f"twofold train {shlex.quote(name)} --backend {side} --dtype float64 --no-stop"
    return Diagnosis(name, told, report.verdict, cause, command=command)


def check(report: PairReport, result: Result | None = None) -> str:
    """The command that shows it again."""
    words = ["twofold", "check", report.about.name]
    words += ["--device", result.device] if result else []
    words += ["--seed", str(report.seed)] if report.seed else []
    return shlex.join(words)
