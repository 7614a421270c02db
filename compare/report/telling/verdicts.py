"""What is said of a pair that does not pass: the verdict first, then why, in at most twelve lines.

Trials of a pair that agree about side, place and cause are told as one. Every line has a number or a place.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, isclose

from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Divergence, Finding, Quantity, Spot, Verdict
from twofold.compare.report.telling.following import OPEN, Cluster, clusters, decisive, side_of
from twofold.compare.sides.trace import path_of
from twofold.compare.watch.locating import first_told
from twofold.compare.watch.statements import SHOWN

MOST = 12  # lines a pair
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
RANKS, NEVER = (1, 7, 9), 100  # of the worst tensors, and of those after them
BLAMED = {
    "scratch": "scratch is wrong",
    "reference": "the reference is wrong",
    "conventions": "the conventions differ",
    OPEN: "who is wrong is open",
    "pair": "the pair is wrong",
}


@dataclass(frozen=True)
class Line:
    """What stands under a verdict; where there is no room the higher `rank` gives way, and is counted as a `noun`.

    `place` is added to a text that has none, and no number; the text alone is told once.
    """

    key: str
    text: str
    rank: int
    noun: str = "line"
    place: str = ""

    @property
    def located(self) -> str:
        named = re.search(r"\d", self.text) or not self.place or self.place in self.text
        return self.text if named else f"{self.text}, in {self.place}"


def told(results: Sequence[Result]) -> list[str]:
    """Of every trial of one pair: nothing if all pass, else at most MOST lines, the verdict first."""
    blocks = agreeing([result for result in results if not result.passed])
    said, lines = set[tuple[str, str]](), []
    for block in blocks:
        new = [line for line in evidence(block) if (line.key, line.text) not in said]
        said |= {(line.key, line.text) for line in new}
        lines += [f"{titled(block, results)}: {verdict_of(block[0])}", *laid_out(new, MOST // len(blocks) - 1)]
    return lines


def agreeing(results: Sequence[Result]) -> list[list[Result]]:
    """The trials in groups that have one side, place and cause, as far as each knows it."""
    groups: list[list[Result]] = []
    for result in results:
        group = next((group for group in groups if agree(group[0], result)), None)
        if group:
            group.append(result)
        else:
            groups.append([result])
    return groups


def agree(one: Result, other: Result) -> bool:
    first, second = decisive(one), decisive(other)
    if first is None or second is None:
        return first is second and unproven(one).keys() == unproven(other).keys()
    begins = [(f.first_divergence, f.gates and f.gates.first) for f in (first, second)]
    alike = side_of(first) == side_of(second) and begins[0] == begins[1]
    return alike and one_cause(first.probable_cause, second.probable_cause)


def one_cause(one: str, other: str) -> bool:
    """Whether all that either says the other says too, or one says more; numbers may differ by rounding."""
    fewer, more = sorted((one.split("; ") if one else [], other.split("; ") if other else []), key=len)
    return all(any(same_words(part, told) for told in more) for part in fewer)


def same_words(one: str, other: str) -> bool:
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(isclose(float(a), float(b), rel_tol=0.01) for a, b in pairs)


def titled(block: Sequence[Result], results: Sequence[Result]) -> str:
    """The pair's name, and the trials that are meant where that is not all of them."""
    pair = block[0].pair
    if len(block) == len(results):
        return pair
    return f"{pair} in {' and '.join(trial_of(result) for result in block)}"


def trial_of(result: Result) -> str:
    return result.dtype if result.device == "cpu" else f"{result.dtype} on {result.device}"


def verdict_of(result: Result) -> str:
    """Who is wrong and where it begins; "" for a trial that passes."""
    finding = decisive(result)
    if finding is None:
        return undecided(result)
    judged = "not judged" if side_of(finding) == "pair" else "not the same"
    line = f"{judged}: {BLAMED[side_of(finding)]}"
    if where := finding.first_divergence:
        line += f", in {place(where)}"
    elif side_of(finding) != "pair":
        line += f", found by {finding.check}"
    if finding.gates:
        line += f", {finding.gates.line().partition(': ')[2]}"
    return line


def undecided(result: Result) -> str:
    """Of a trial that has no failure."""
    of = len(result.findings)
    for verdict, words in ((Verdict.VACUOUS, "nothing is proven"), (Verdict.INCONCLUSIVE, "not settled")):
        if count := sum(finding.verdict is verdict for finding in result.findings):
            return f"{words} in {count} of {of} checks"
    return ""


def place(where: Divergence) -> str:
    step = f", step {where.step}" if where.step else ""
    mode = ", in evaluation mode" if where.evaluating else ""
    return f"{where.tensor or where.module} ({where.stage}{step}{mode})"


def evidence(block: Sequence[Result]) -> Iterator[Line]:
    """In the order in which it is read; trials after the first add what they alone have."""
    trials = [found for result in block if (found := clusters(result))]
    heads = [found[0].head for found in trials]
    cause = max((head.probable_cause for head in heads), key=lambda told: (bool(told), told.count("; ")), default="")
    for head in heads[:1]:
        yield from of_decisive(replace(head, probable_cause=cause), trial_of(block[0]) if len(block) > 1 else "")
    own: dict[str, Cluster] = {}
    for cluster in (cluster for found in trials for cluster in found[1:]):
        own.setdefault(cluster.head.check, cluster)
    for n, (check, cluster) in enumerate(own.items()):
        yield Line(check, own_line(cluster, cause), 5 + 2 * n, "check")
    counted = dict.fromkeys(finding.check for found in trials for finding in found[0].rest)
    if following := [check for check in counted if check not in own and check != heads[0].check]:
        many = "1 check follows" if len(following) == 1 else f"{len(following)} checks follow"
        yield Line("follows", f"{many} from it: {', '.join(following)}", 4)
    reasons: dict[tuple[Verdict, str], list[str]] = {}
    for result in block:
        for told, names in unproven(result).items():
            reasons[told] = list(dict.fromkeys((*reasons.get(told, ()), *names)))
    for n, ((verdict, reason), names) in enumerate(reasons.items()):
        yield Line(verdict, f"{counted_names(names)}: {reason}", 6 + 2 * n, "reason")
    if flips := flips_of(block):
        yield Line("branches", flips, 50)


def of_decisive(finding: Finding, trial: str) -> Iterator[Line]:
    """The worst tensors, who is wrong and why."""
    bad, place = worst_first(finding), finding.first_divergence
    begins = (place.tensor or place.module) if place else finding.check
    for n, quantity in enumerate(bad):
        where = f" ({trial})" if trial and n == 0 else ""
        yield Line(quantity.name, describe(quantity) + where, RANKS[n] if n < len(RANKS) else NEVER, "tensor")
    reason = finding.blame.reason if finding.blame else ""
    if reason in {quantity.reason for quantity in bad}:  # which stands above
        reason = f"{len(bad)} of {len(finding.quantities)} comparisons of {finding.check} convict it by themselves"
    if finding.reason not in reason:  # what was raised
        reason = f"{reason}: {finding.reason}".removeprefix(": ")
    if reason:
        yield Line("who", reason, 2, place=begins)
    if (spot := finding.spot) is not None:
        yield Line("line", f"{spot.place}   {spot.text[:SHOWN]}", 2)
        if spot.edit:
            yield Line("edit", spot.edit, 3)
        if spot.agree or spot.reference:
            yield Line("begins", begun(spot), 8)
    if finding.probable_cause:
        yield Line("cause", finding.probable_cause, 3, place=begins)


def begun(spot: Spot) -> str:
    """What the line binds that torch has not, and what is right before it."""
    told = first_told(spot.name, spot.first or spot.line, spot.when, spot.agree)
    return told + (f"; torch has {spot.reference}" if spot.reference else "")


def worst_first(finding: Finding) -> list[Quantity]:
    """What has the finding's verdict: of the module where it begins before others."""
    where = finding.first_divergence
    begins = where.module if where else ""

    def order(quantity: Quantity) -> tuple[bool, float]:
        there = path_of(quantity.name) == begins or quantity.name.startswith(f"{begins}.")
        return not there, -quantity.ratio

    return sorted((q for q in finding.quantities if q.verdict is finding.verdict), key=order)


def own_line(cluster: Cluster, told: str) -> str:
    """A failure that does not follow from the one that decides, in one line; its cause unless that is `told`."""
    finding = cluster.head
    where = f", in {place(finding.first_divergence)}" if finding.first_divergence else ""
    parts = [BLAMED[side_of(finding)] + where]
    if bad := worst_first(finding):
        parts.append(f"{bad[0].name} {describe(bad[0])}")
    parts += [finding.reason, finding.probable_cause if finding.probable_cause != told else ""]
    if rest := [other.check for other in cluster.rest]:
        parts.append(f"{len(rest)} follow{'s' * (len(rest) == 1)}: {', '.join(rest)}")
    return "; ".join(filter(None, parts))


def unproven(result: Result) -> dict[tuple[Verdict, str], list[str]]:
    """The checks that settle or prove nothing, by their reason."""
    found: dict[tuple[Verdict, str], list[str]] = {}
    for finding in result.findings:
        if finding.verdict in (Verdict.VACUOUS, Verdict.INCONCLUSIVE):
            reason = finding.reason or "; ".join(f"{q.name} {q.reason}" for q in worst_first(finding)[:1])
            found.setdefault((finding.verdict, reason or "it judged nothing"), []).append(finding.check)
    return found


def counted_names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} checks, {', '.join(names)}"


def describe(quantity: Quantity) -> str:
    """How far off a tensor is, as a share of what it should be before floors, and value beside value."""
    off = ""
    if quantity.relative is not None:
        off = f"off by {share(quantity.relative)}"
    elif 0 < quantity.error < inf:
        off = f"off by {quantity.error:.3g}"
    elif re.match(r"\d+ of \d+, ", quantity.entries) and not re.search(r"\d", quantity.reason):
        off = f"{quantity.entries.partition(',')[0]} entries differ"
    if quantity.floor or 0 < quantity.error < inf:  # of a row of zeros the floor is 0
        off += f", {quantity.ratio:.2g} floors, limit {quantity.limit:g}"
    return "; ".join(filter(None, (off, quantity.reason, values(quantity))))


def share(relative: float) -> str:
    """In per cent, or where that is a long number how many times."""
    if relative >= 10:
        return f"{relative:.3g} times"
    return f"{100 * relative:.3g} %" if relative >= 0.995 else f"{100 * relative:.2g} %"


def values(quantity: Quantity) -> str:
    if quantity.actual is None or quantity.golden is None:
        return ""
    at = f" at {list(quantity.index)}" if quantity.index else ""
    told = {digits: [f"{value:.{digits}g}" for value in (quantity.actual, quantity.golden)] for digits in range(6, 18)}
    ours, theirs = next((both for both in told.values() if both[0] != both[1]), told[17])
    return f"scratch {ours}, reference {theirs}{at}"


def flips_of(results: Sequence[Result]) -> str:
    """The branches that rounding alone would have parted, by trial."""
    found = {
        trial_of(r): [f"{f.module} {f.count} (at most {f.ulps:.2g} ulps from the kink)" for f in r.flips]
        for r in results
    }
    listed = "; ".join(f"{', '.join(flips)} in {trial}" for trial, flips in found.items() if flips)
    return f"pinned to scratch's that the reference would take otherwise: {listed}" if listed else ""


def laid_out(lines: Sequence[Line], most: int) -> list[str]:
    """As many as there is room for, keys and texts aligned; the others are counted."""
    wanted = sorted((line for line in lines if line.rank < NEVER), key=lambda line: line.rank)
    shown = wanted if len(wanted) == len(lines) <= most else wanted[: most - 1]
    kept = [line for line in lines if line in shown]
    if left := Counter(line.noun for line in lines if line not in shown):
        kept.append(Line("more", ", ".join(f"{n} {noun}{'s' * (n > 1)}" for noun, n in left.items()), 0))
    width = max((len(line.key) for line in kept), default=0)
    return [f"  {line.key:<{width}}  {line.located}" for line in kept]
