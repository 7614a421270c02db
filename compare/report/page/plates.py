"""The pictures of the page, each with a sentence that says what to see in it, or the sentence alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from twofold.compare.judge.battery import DTYPES, Result
from twofold.compare.judge.checks.table import BATTERY
from twofold.compare.judge.gates import LIMIT
from twofold.compare.pair import SideName
from twofold.compare.report.killing import least_sensitive
from twofold.compare.report.page.plate import Plate, plate
from twofold.compare.report.pair import PairReport, Run
from twofold.compare.report.plots.dots import dots
from twofold.compare.report.plots.gates import gate_heat_map
from twofold.compare.report.plots.matrix import kill_map
from twofold.compare.report.plots.scale import Cost, costs
from twofold.compare.report.plots.sides import both_curves, relative_distance, step_times
from twofold.compare.report.telling.cells import multiple, worst_ratio
from twofold.compare.report.telling.verdicts import trial_of

NAMED = 6  # checks or pairs in a sentence


def floors(report: PairReport) -> Plate | None:
    """Of the checks that measure anything; what raised was not measured, and has no dot."""
    found = {
        check.name: {
            trial_of(r): worst_ratio(f) if f.quantities else 0.0
            for r in report.results
            for f in r.findings
            if f.check == check.name
        }
        for check in BATTERY
    }
    rows = [(name, ratios) for name, ratios in found.items() if any(ratios.values())]
    if not rows:
        return None
    worst, name, trial = max((ratio, name, trial) for name, ratios in rows for trial, ratio in ratios.items())
    beyond = sum(max(ratios.values()) > LIMIT for _, ratios in rows)
    told = f"The largest error is {multiple(worst)} floors, in {name} ({trial}); "
    told += (
        f"{beyond} of {len(rows)} checks are beyond the limit of {LIMIT:g}." if beyond else f"{LIMIT:g} are allowed."
    )
    drawing = dots(rows, "largest error in floors", LIMIT, f"limit {LIMIT:g}", limit=True)
    return plate("Errors in floors, check by check", told, drawing)


def curves(report: PairReport) -> Plate | None:
    sides = report.runs.get("scratch"), report.runs.get("reference"), report.twin
    scratch, reference, twin = (side.losses if isinstance(side, Run) else None for side in sides)
    if not (scratch and reference and twin):
        return None
    apart, own = relative_distance(scratch, reference), relative_distance(twin, reference)
    equal = int((apart == 0).sum())
    told = f"In {len(apart)} steps scratch's loss comes from {scratch[0]:.4g} to {scratch[-1]:.4g}, "
    told += f"the reference's from {reference[0]:.4g} to {reference[-1]:.4g}"
    if equal == len(apart):
        told += "; every one is equal bit for bit."
    else:
        told += f"; they are equal bit for bit in {equal} steps and at most {largest(apart):.1e} of the loss apart, "
        told += f"where one ulp carries the reference {largest(own):.1e} away."
    return plate("Both losses over each other", told, both_curves(scratch, reference, twin), together=True)


def largest(values: np.ndarray) -> float:
    return float(max(values[np.isfinite(values)], default=np.nan))


def times(report: PairReport) -> Plate | None:
    if isinstance(report.times, str) or not report.times:
        return None
    told = ", ".join(f"{time.ratio:.2f} times the reference's in {time.dtype}" for time in report.times)
    drawing = step_times([(time.dtype, time.scratch, time.reference) for time in report.times])
    return plate("Milliseconds a step", f"Scratch's step takes {told}.", drawing)


def gates(results: Sequence[Result]) -> Plate | None:
    """The map of the recurrent layer that differs first, of the first trial that has one."""
    for result in results:
        if result.cause and result.cause.gates and result.cause.first_divergence:
            found, where = result.cause.gates, result.cause.first_divergence.module
            drawing = gate_heat_map(found)
            return plate(f"Errors of {where} by time step and gate, {trial_of(result)}", f"{found.line()}.", drawing)
    return None


def learned(report: PairReport) -> list[Plate]:
    """What both sides have learned: once where their pictures are the same."""
    sides = {name: run.pictures for name, run in report.runs.items() if isinstance(run, Run)}
    titles = dict.fromkeys(one.title for plates in sides.values() for one in plates)
    return [together(title, sides) for title in titles]


def together(title: str, sides: Mapping[SideName, Sequence[Plate]]) -> Plate:
    own = {name: one for name, plates in sides.items() for one in plates if one.title == title}
    first, *others = own.values()
    if not others:
        return first
    if all(other.panels == first.panels and other.told == first.told for other in others):
        return replace(first, told=f"{first.told} Both sides' are the same.")
    told = " ".join(f"{name.capitalize()}: {one.told}" for name, one in own.items())
    panels = tuple(panel for one in own.values() for panel in one.panels)
    return Plate(f"{title}, scratch's and the reference's", told, panels)


def kills(faults: Sequence[dict]) -> Plate | None:
    """Of the lines of the kill matrix."""
    rows = [(line["id"], [mark and not mark["survives"] for mark in line["marks"]]) for line in faults]
    cells = [mark for _, marks in rows for mark in marks if mark is not None]
    if not cells:
        return None
    lost = [name for name, marks in rows if False in marks]
    told = f"{sum(cells):,} of {len(cells):,} cells are filled: the mistake was found, placed and blamed rightly"
    told += f"; crosses stand at {listed(lost)}." if lost else "; there is no cross."
    return plate("Mistakes planted, by kind and pair", told, kill_map(rows))


def sensitivity(reports: Sequence[PairReport]) -> Plate | None:
    """Of each pair the gradient that hides most."""
    rows = []
    for report in reports:
        if not isinstance(report.faults, str):
            found = {dtype: least_sensitive(report.faults, dtype) for dtype in DTYPES}
            if values := {dtype: one.smallest_detected for dtype, one in found.items() if one}:
                rows.append((report.about.name, values))
    if not rows:
        return None
    told = "The farther left, the smaller the error that is always seen: "
    said = []
    for dtype in DTYPES:
        if own := [(values[dtype], name) for name, values in rows if dtype in values]:
            said.append(f"in {dtype} {median(value for value, _ in own):.1e} as a rule, at worst {worst(own)}")
    drawing = dots(rows, "smallest error seen, of the gradient's largest entry")
    return plate("How small an error is seen, pair by pair", f"{told}{'; '.join(said)}.", drawing)


def worst(found: Sequence[tuple[float, str]]) -> str:
    value, name = max(found)
    return f"{value:.1e} ({name})"


def speed(reports: Sequence[PairReport]) -> Plate | None:
    """Scratch's time of a step beside the reference's, the slowest pair first."""
    rows = [
        (report.about.name, {time.dtype: time.ratio for time in report.times})
        for report in reports
        if not isinstance(report.times, str) and report.times
    ]
    if len(rows) < 2:
        return None
    rows.sort(key=lambda row: -max(row[1].values()))
    said = []
    for dtype in DTYPES:
        if own := [values[dtype] for _, values in rows if dtype in values]:
            faster = sum(ratio < 1 for ratio in own)
            said.append(f"in {dtype} scratch is the faster in {faster} of {len(own)}, {median(own):.2f} in the middle")
    told = f"Left of the line a step of scratch takes less time than torch's: {'; '.join(said)}."
    return plate("Time of a step, scratch / reference", told, dots(rows, "scratch / reference", 1, "equal"))


def cost(reports: Sequence[PairReport]) -> Plate | None:
    """Seconds that the checks of each pair took."""
    rows = [
        (report.about.name, seconds)
        for report in reports
        if (seconds := {trial_of(result): result.seconds for result in report.results})
    ]
    if len(rows) < 2:
        return None
    rows.sort(key=lambda row: -sum(row[1].values()))
    whole = sum(sum(seconds.values()) for _, seconds in rows)
    told = f"All checks of {len(rows)} pairs took {whole:,.0f} s together, those of {rows[0][0]} the longest: "
    told += f"{sum(rows[0][1].values()):.1f} s; the middle pair {median(sum(s.values()) for _, s in rows):.1f} s."
    return plate("What judging a pair costs", told, dots(rows, "seconds of all checks"))


def scale(reports: Sequence[PairReport]) -> Plate | None:
    """What a judged gradient and a step cost at recipe size, over the size of the model."""
    rows = []
    for report in reports:
        whole, size = report.full_size, report.about.parameters
        times = [] if isinstance(report.times, str) else [time for time in report.times if time.dtype == "float64"]
        if size and not isinstance(whole, str) and whole.seconds > 0:
            steps = (times[0].scratch / 1e3, times[0].reference / 1e3) if times else (None, None)
            rows.append(Cost(report.about.name, size, whole.seconds, *steps))
    if len({row.parameters for row in rows}) < 2:
        return None
    least, most = (find(rows, key=lambda row: row.parameters) for find in (min, max))
    told = f"From {least.parameters:,} parameters ({least.name}) to {most.parameters:,} ({most.name}), "
    told += f"{most.parameters / least.parameters:,.0f} times as many, judging one gradient in float64 takes "
    told += f"{most.judged / least.judged:,.1f} times as long: {least.judged:.2g} s and {most.judged:.2g} s."
    return plate("Cost at scale, in float64 at recipe size", told, costs(rows))


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
