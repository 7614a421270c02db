"""The page: the diagnosis or the verdict first, then pairs x checks, then each pair."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from twofold.compare.faults.matrix import Row
from twofold.compare.judge.battery import DTYPES, Result
from twofold.compare.judge.checks.table import BATTERY, Check, battery_on
from twofold.compare.judge.finding import Verdict, raised
from twofold.compare.judge.gates import LIMIT
from twofold.compare.report.build import LAST_STEPS
from twofold.compare.report.console import failing, flipped
from twofold.compare.report.killing import kill_matrix
from twofold.compare.report.page import plates
from twofold.compare.report.page.listing import listing
from twofold.compare.report.page.plate import Plate, dressed
from twofold.compare.report.page.published import beside_ours
from twofold.compare.report.page.spine import spine
from twofold.compare.report.page.template import template
from twofold.compare.report.pair import PairReport, Run
from twofold.compare.report.telling.cells import BEYOND, SIGNS, WITHIN, cell, cells, multiple
from twofold.compare.report.telling.diagnosis import Diagnosis, diagnosis
from twofold.compare.report.telling.evidence import explanations
from twofold.compare.report.telling.verdicts import trial_of

GRAVE = (Verdict.FAIL, Verdict.VACUOUS, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)
Of = TypeVar("Of")


def page(reports: Sequence[PairReport], made_in: Mapping[str, Any], written: str) -> str:
    """The whole report as one HTML text, pictures inside."""
    checks = shown_checks([result for report in reports for result in report.results])
    names = [check.name for check in checks]
    found = {report.about.name: diagnosis(report) for report in reports}
    groups = grouped([one for one in found.values() if one])
    listed = listing(reports, [one.place for one in found.values() if one and one.place])
    kills = kill_matrix({report.about.name: report.faults for report in reports})
    text = template("report.html").render(
        reports=[section(report, found[report.about.name], names) for report in reports],
        checks=[{"name": check.name, "proves": check.proves} for check in checks],
        groups=groups,
        sources=listed.sources,
        marked=listed.marked,
        title=title(reports, groups),
        counts=counts(reports),
        kills=kills,
        pictures=overviews(reports, kills),
        within=[multiple(end) for end in WITHIN],
        beyond=[multiple(end) for end in BEYOND],
        environment=made_in,
        written=written,
        limit=LIMIT,
        last_steps=LAST_STEPS,
    )
    return dressed(text)


def overviews(reports: Sequence[PairReport], kills: Mapping[str, Any]) -> dict[str, Any]:
    """The pictures of all pairs together."""
    return {
        "kills": picture(plates.kills, kills["faults"]),
        "sensitivity": picture(plates.sensitivity, reports),
        "speed": picture(plates.speed, reports),
        "cost": picture(plates.cost, reports),
        "scale": picture(plates.scale, reports),
    }


def picture(draw: Callable[[Of], Plate | None], of: Of) -> Plate | None:
    """One that cannot be drawn says so: the page is written all the same."""
    try:
        return draw(of)
    except Exception as error:
        return Plate(draw.__name__, f"The picture of {draw.__name__} could not be drawn: {raised(error)}.")


def grouped(found: Sequence[Diagnosis]) -> list[list[Diagnosis]]:
    """What several pairs have in common is told once; the gravest first."""
    groups: dict[tuple[str, ...], list[Diagnosis]] = {}
    for one in found:
        groups.setdefault(one.kind, []).append(one)
    return sorted(groups.values(), key=lambda group: GRAVE.index(group[0].verdict))


def title(reports: Sequence[PairReport], groups: Sequence[Sequence[Diagnosis]]) -> str:
    if groups:
        return groups[0][0].headline
    if len(reports) == 1:
        return f"{reports[0].about.name}: the two implementations are the same computation"
    return f"The two implementations are the same computation in all {len(reports)} pairs"


def counts(reports: Sequence[PairReport]) -> str:
    """One sentence: how many agree, over how many comparisons, the worst error, and what was proven."""
    agree = sum(report.verdict is Verdict.PASS for report in reports)
    all_of = [(q, f, r) for report in reports for r in report.judged for f in r.findings for q in f.quantities]
    told = [f"{agree} of {len(reports)} pairs agree in {len(all_of):,} comparisons"]
    judged = [item for item in all_of if item[0].floor > 0 and item[0].verdict is not Verdict.NOT_APPLICABLE]
    if judged:
        quantity, finding, result = max(judged, key=lambda item: item[0].ratio)
        where = f"{result.pair} in {trial_of(result)}, {finding.check}, {quantity.name}"
        told.append(f"the largest error is {multiple(quantity.ratio)} floors of {quantity.limit:g} allowed ({where})")
    planted = [report.faults for report in reports if isinstance(report.faults, Row)]
    seen = [
        (dtype, [s.smallest_detected for r in planted for s in r.sensitivities if s.dtype == dtype]) for dtype in DTYPES
    ]
    if parts := [f"{max(sizes):.1e} in {dtype}" for dtype, sizes in seen if sizes]:
        told.append(f"an error of {' or '.join(parts)} of a gradient's largest entry is always seen")
    if faults := [cell for row in planted for cell in row.cells]:
        killed = sum(not cell.survives for cell in faults)
        told.append(f"{killed:,} of {len(faults):,} mistakes planted on purpose were found")
    return "; ".join(told)


def shown_checks(results: Sequence[Result]) -> Sequence[Check]:
    """Those of the battery, and where something ran on a device what is asked of that."""
    return next((battery_on(result.device) for result in results if result.device != "cpu"), BATTERY)


def section(report: PairReport, found: Diagnosis | None, checks: Sequence[str]) -> dict[str, Any]:
    trials = [(trial_of(result), result) for result in report.results]
    return {
        "about": report.about,
        "sources": report.sources,
        "spine": spine(report),
        "verdict": report.verdict,
        "sign": SIGNS[report.verdict],
        "cells": cells(report, checks),
        "trials": [label for label, _ in trials],
        "table": [(check, [cell([f for f in r.findings if f.check == check]) for _, r in trials]) for check in checks],
        "diagnosis": found,
        "full_size": report.full_size,
        "explanations": [text for result in report.judged for text in explanations(result)],
        "flips": flipped(report.judged),
        "verdicts": failing(report.judged),
        "gates": picture(plates.gates, report.judged),
        "stopped": report.stopped,
        "runs": {side: run for side, run in report.runs.items() if isinstance(run, Run)},
        "raised": training_raised(report),
        "difference": report.largest_difference,
        "twin_difference": report.largest_twin_difference,
        "times": [] if isinstance(report.times, str) else report.times,
        "untimed": report.times if isinstance(report.times, str) else "",
        "floors": picture(plates.floors, report),
        "curves": picture(plates.curves, report),
        "step_times": picture(plates.times, report),
        "learned": plates.learned(report),
        "made": report.made,
        "published": beside_ours(report.published),
    }


def training_raised(report: PairReport) -> list[str]:
    found = [f"{name}: {run}" for name, run in report.runs.items() if isinstance(run, str)]
    twin = [f"the reference's twin: {report.twin}"] if isinstance(report.twin, str) else []
    return [] if report.stopped else [*found, *twin]
