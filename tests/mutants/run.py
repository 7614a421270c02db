"""Every site of scratch is changed, one at a time; what no check notices must stand in the list of equivalents."""

import ast
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from twofold.compare.processes import spread
from twofold.compare.threads import one_thread

from .killers import killed
from .plant import HOME, change_of
from .sites import Site, sites

LISTED = Path(__file__).with_name("equivalent.toml")
MOST_LISTED = 0.05  # of all sites
PROCESSES = 2
# What is let in, and which call a backward pass is of: tests/scratch has tables of contracts that hold these.
GUARDS = ("calls.py", "changes.py", "checks.py", "passes.py", "tree.py")

Name = tuple[str, str, str, str]


def files(wanted: Iterable[str] = ()) -> list[str]:
    """The files of scratch in which something can change, or those whose path contains one of the words."""
    paths = [
        str(path.relative_to(HOME)) for path in sorted(HOME.rglob("*.py")) if path.name not in ("__init__.py", *GUARDS)
    ]
    words = tuple(wanted)
    return [path for path in paths if not words or any(word in path for word in words)]


def source(file: str) -> ast.Module:
    return ast.parse((HOME / file).read_text())


def listed() -> dict[Name, str]:
    """The sites whose change makes no difference, and why."""
    entries = tomllib.loads(LISTED.read_text())["equivalent"]
    return {(e["file"], e["function"], e["line"], change): e["why"] for e in entries for change in e["changes"]}


def run(file: str, function: str) -> list[tuple[Site, str]]:
    """Every site of one function with what noticed its change; raises if that notices something without it too."""
    results, used = [], {}
    tree = source(file)
    with one_thread():
        for site in sites(tree, file, function):
            name, killer = killed(site, change_of(tree, site))
            results.append((site, name))
            if killer:
                used[name.partition(":")[0]] = killer
        for killer in used.values():
            if name := killer():
                raise RuntimeError(f"{file} {function}: {name}, also without a change")
    return results


def run_all(work: list[tuple[str, str]]) -> Iterator[tuple[Site, str]]:
    for done, (place, found) in enumerate(spread(run, work, PROCESSES), 1):
        yield from found
        print(f"\r{done} of {len(work)} functions: {' '.join(work[place])}\033[K", end="", file=sys.stderr)
    print(file=sys.stderr)


def main(words: list[str]) -> int:
    start, chosen = time.time(), files(words)
    counts = Counter((site.file, site.function) for file in chosen for site in sites(source(file), file))
    work = sorted(counts, key=lambda item: -counts[item])
    results = sorted(run_all(work), key=lambda result: result[0].name)
    known = {name: why for name, why in listed().items() if name[0] in chosen}
    status = report(results, known, chosen)
    print(f"{time.time() - start:.0f} s")
    return status


def report(results: list[tuple[Site, str]], known: dict[Name, str], chosen: list[str]) -> int:
    survivors = {site.name: site for site, killer in results if not killer}
    for site in (site for name, site in survivors.items() if name not in known):
        print(f"survives: {site.file}:{site.lines[0]} {site.function}\n    {site.line}\n    {site.change}")
    caught = {site.name: killer for site, killer in results if killer}
    stale = [name for name in known if name not in survivors]
    for name in stale:
        print(f"listed, but {caught.get(name, 'there is no such site')}: {' | '.join(name)}")
    print(f"{'':34}{'sites':>8}{'killed':>8}{'equivalent':>12}{'surviving':>11}")
    total: Counter[str] = Counter()
    for file in chosen:
        row = Counter(
            "killed" if killer else "equivalent" if site.name in known else "surviving"
            for site, killer in results
            if site.file == file
        )
        total += row
        print(f"{file:34}{row.total():8}{row['killed']:8}{row['equivalent']:12}{row['surviving']:11}")
    print(f"{'all':34}{total.total():8}{total['killed']:8}{total['equivalent']:12}{total['surviving']:11}")
    share = total["equivalent"] / max(total.total(), 1)
    print(f"{share:.1%} of the sites are listed as equivalent, at most {MOST_LISTED:.0%} may be")
    return int(bool(stale or total["surviving"] or share > MOST_LISTED))
