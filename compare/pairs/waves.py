"""The next value of a wave."""

from dataclasses import replace

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin

SINE = Pair(
    name="sine-rnn",
    title="Elman's network of sigmoid units on a sine, one record at a time; as published, it learns the mean alone",
    model=Twin("twofold.scratch.models.sine_rnn:SineRNN", "twofold.reference.models.sine_rnn:SineRNN", {"hidden": 100}),
    loss=Twin("twofold.scratch:HalfMSELoss", "twofold.reference.losses:HalfMSELoss"),
    optimizer=Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 1e-4}),
    dataset="sine",
    metrics=("mse",),
    recipe=Recipe(batch=1, epochs=25, report_steps=100),
    check=CheckSize(arguments={"steps": 7, "hidden": 9}, inputs=(Draw((5, 7)),), target=Draw((5, 1))),
    clip=10.0,
    sizes=(CheckSize({"steps": 8, "hidden": 8}, (Draw((1, 8)),), Draw((1, 1))),),  # the recipe's batch
)


def variant(wave: str, hidden: int, check: int) -> Pair:
    return replace(
        SINE,
        name=f"{wave}-rnn-{hidden}",
        title=f"sine-rnn on a {wave} wave with {hidden} hidden units",
        variant_of=SINE.name,
        model=SINE.model.given(hidden=hidden),
        dataset=wave,
        check=replace(SINE.check, arguments={"steps": 7, "hidden": check}),
    )


TRUNCATED = replace(
    SINE,
    name="sine-rnn-truncated",
    title="sine-rnn with back-propagation through the last 5 steps only",
    variant_of=SINE.name,
    model=SINE.model.given(truncate=5),
    check=replace(SINE.check, arguments={"steps": 7, "hidden": 10, "truncate": 3}),
    waivers={"numerical": "a truncated gradient is no derivative"},
)
FAN_IN = replace(
    SINE,
    name="sine-rnn-fan-in",
    title="sine-rnn with weights drawn by fan in, and momentum: it learns the wave",
    variant_of=SINE.name,
    model=SINE.model.given(by_fan_in=True),
    optimizer=SINE.optimizer.given(lr=0.01, momentum=0.9),
    check=replace(SINE.check, arguments={"steps": 7, "hidden": 8}),
)

PAIRS = (
    SINE,
    variant("sine", 50, 6),
    variant("sine", 200, 13),
    variant("triangle", 100, 11),
    TRUNCATED,
    FAN_IN,
)
