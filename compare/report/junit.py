"""The battery's results as JUnit, as CI reads it: a suite a trial, a case a check."""

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.names import plain
from twofold.compare.report.telling.verdicts import told

# How each verdict is written: what is not proven is never green, and what does not apply is skipped.
ELEMENTS = {
    Verdict.FAIL: "failure",
    Verdict.VACUOUS: "failure",
    Verdict.INCONCLUSIVE: "error",
    Verdict.NOT_APPLICABLE: "skipped",
}


def as_junit(results: Iterable[Result]) -> str:
    """An XML document, the same for the same results but for its `time`, which is seconds."""
    suites = [line for result in results for line in suite(result)]
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>", *suites, "</testsuites>", ""])


def suite(result: Result) -> list[str]:
    name = f"{result.pair} {result.dtype} {result.device}"
    kinds = [ELEMENTS.get(finding.verdict) for finding in result.findings]
    counts = {"tests": len(kinds)} | {f"{kind}s": kinds.count(kind) for kind in ("failure", "error")}
    counts["skipped"] = kinds.count("skipped")
    head = attributes(name=name, **counts, time=f"{result.seconds:.3f}")
    return [
        f"  <testsuite {head}>",
        *(line for f in result.findings for line in case(name, result, f)),
        "  </testsuite>",
    ]


def case(suite: str, result: Result, finding: Finding) -> list[str]:
    head = attributes(classname=suite, name=finding.check)
    kind = ELEMENTS.get(finding.verdict)
    if kind is None:
        return [f"    <testcase {head}/>"]
    why = attributes(message=message(result, finding), **({} if kind == "skipped" else {"type": finding.verdict}))
    return [f"    <testcase {head}>", f"      <{kind} {why}/>", "    </testcase>"]


def message(result: Result, finding: Finding) -> str:
    """Of a failure the verdict on its trial, of others the check's own reason."""
    worst = finding.worst
    if finding.verdict is Verdict.FAIL:
        return next(iter(told([result])), finding.reason)
    return finding.reason or (f"{worst.name}: {worst.reason}" if worst else str(finding.verdict))


def attributes(**values: object) -> str:
    """As XML has them: in printable characters, and none of its own."""
    return " ".join(f"{key}={quoteattr(plain(value))}" for key, value in values.items())
