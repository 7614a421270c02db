"""Letters in many typefaces."""

from dataclasses import replace

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin

# One step an epoch on all records; the update takes the gradient's sum, and the mean loss is printed as a metric.
MLP = Pair(
    name="notmnist-mlp",
    title="One hidden layer on images of letters, full batch",
    model=Twin(
        "twofold.scratch.models.notmnist_mlp:NotMnistMLP",
        "twofold.reference.models.notmnist_mlp:NotMnistMLP",
        {"hidden": 1000},
    ),
    loss=Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss", {"reduction": "sum"}),
    optimizer=Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 1e-5, "momentum": 0.99}),
    dataset="notmnist",
    metrics=("cross_entropy", "accuracy"),
    recipe=Recipe(batch=15000, epochs=200, report_steps=5, patience=10),
    check=CheckSize(
        arguments={"pixels": 17, "hidden": 11, "classes": 9}, inputs=(Draw((8, 17)),), target=Draw((8,), high=9)
    ),
    sizes=(CheckSize({"pixels": 8, "hidden": 8, "classes": 8}, (Draw((8, 8)),), Draw((8,), high=8, every=True)),),
    chunk=2000,  # what a chunk leaves for its backward pass stays near the cache: a third faster than 15,000 at once
)


def hidden(size: int, check: int) -> Pair:
    return replace(
        MLP,
        name=f"notmnist-mlp-{size}",
        title=f"notmnist-mlp with {size} hidden units",
        variant_of=MLP.name,
        model=MLP.model.given(hidden=size),
        check=replace(MLP.check, arguments={**MLP.check.arguments, "hidden": check}),
    )


PAIRS = (MLP, hidden(100, 7), hidden(500, 13), hidden(2000, 19))
