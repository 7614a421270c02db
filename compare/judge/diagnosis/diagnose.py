"""A check's failure explained: where it begins, who is wrong, and in a recurrent layer at which step and gate."""

from dataclasses import replace

from twofold.compare.judge.diagnosis.arbiter import blame
from twofold.compare.judge.diagnosis.raising import raiser, stumble
from twofold.compare.judge.diagnosis.recurrence import of_trial
from twofold.compare.judge.diagnosis.where import PLACES, placed_in
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, Verdict, raised


def diagnosed(trial: Trial, finding: Finding) -> Finding:
    """The finding, with what can be said of its failure."""
    if finding.verdict is not Verdict.FAIL:
        return finding
    if finding.error:
        where, guilt = stumble(trial), raiser(trial, finding.error)
        return replace(finding, error=None, first_divergence=where, blame=guilt)
    try:
        trial = placed_in(trial, finding.check)
        where = PLACES[finding.check](trial) if finding.check in PLACES else None
        guilt = blame(trial, finding.quantities, where)
        gates = of_trial(trial, where.module) if where else None
    except Exception as error:
        return replace(finding, reason=f"it could not be placed: {raised(error)}", blame=raiser(trial, error))
    return replace(finding, first_divergence=where, blame=guilt, gates=gates if gates and gates.first else None)
