"""What a person is doing, from an accelerometer."""

from compare.pair import CheckSize, Draw, Pair, Recipe, Twin

LSTM = Pair(
    name="activity-lstm",
    title="An LSTM over an accelerometer's signal, its last state classified",
    model=Twin("scratch.models.activity:ActivityLSTM", "reference.models.activity:ActivityLSTM"),
    loss=Twin("scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
    optimizer=Twin("scratch:SGD", "torch.optim:SGD", {"lr": 0.01, "momentum": 0.85}),
    dataset="activity",
    metrics=("accuracy",),
    recipe=Recipe(batch=32, epochs=50, report_steps=100),
    check=CheckSize(
        arguments={"axes": 3, "hidden": 10, "classifier": (9, 8), "classes": 6},
        inputs=(Draw((5, 7, 3)),),
        target=Draw((5,), high=6),
    ),
)
