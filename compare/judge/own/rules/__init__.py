"""Update rules and optimizers that are not ours, judged against torch.optim."""

from twofold.compare.judge.own.rules.judging import is_rule, judge_rule

__all__ = ["is_rule", "judge_rule"]
