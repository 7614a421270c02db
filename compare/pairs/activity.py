"""What a person is doing, from an accelerometer."""

from typing import Any

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin

CHECK = {"axes": 3, "hidden": 10, "classifier": (9, 8), "classes": 6}
NAMES = {
    "rnn": "A tanh RNN",
    "lstm": "An LSTM",
    "gru": "A GRU",
    "reset-first-gru": "A GRU with its reset gate before the product",
}


def pair(cell: str, *, linear: bool = False, truncate: int | None = None, clip: float | None = None) -> Pair:
    arguments: dict[str, Any] = {"cell": cell, "classifier": () if linear else (64, 64), "truncate": truncate}
    check = {**CHECK, "cell": cell, "truncate": 4 if truncate else None, "classifier": () if linear else (9, 8)}
    options = {"linear": linear, "truncated": truncate, "clipped": clip}
    words = [word for word, chosen in options.items() if chosen]
    system = f"activity-{cell.removeprefix('reset-first-')}"
    return Pair(
        name=(name := "-".join(["activity", cell, *words])),
        title=" ".join(
            [NAMES[cell], "over an accelerometer's signal, its last state classified", ", ".join(words)]
        ).strip(),
        model=Twin("twofold.scratch.models.activity:Activity", "twofold.reference.models.activity:Activity", arguments),
        loss=Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
        optimizer=Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.1 if linear else 0.01, "momentum": 0.85}),
        dataset="activity",
        metrics=("accuracy",),
        recipe=Recipe(
            batch=30 if linear else 32,
            epochs=50,
            report_steps=60,
            stop_below=0.5,
            second_stage={"lr": 0.001, "momentum": 0.35},
        ),
        check=CheckSize(arguments=check, inputs=(Draw((5, 7, 3)),), target=Draw((5,), high=6)),
        sizes=(CheckSize({"axes": 6, "hidden": 6}, (Draw((6, 6, 6)),), Draw((6,), high=6, every=True)),),
        clip=clip,
        variant_of=None if name == system else system,
        waivers={"numerical": "a truncated gradient is no derivative"} if truncate else {},
    )


PAIRS = (
    *(pair(cell) for cell in NAMES),
    *(pair(cell, linear=True) for cell in NAMES),
    pair("rnn", truncate=20, clip=10.0),
    pair("lstm", truncate=20, clip=15.0),
)
