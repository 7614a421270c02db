"""Cats and cars."""

from dataclasses import replace

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin

MLP = Pair(
    name="catcar-mlp",
    title="A tanh network that tells cats from cars by the sign of its output",
    model=Twin(
        "twofold.scratch.models.catcar_mlp:CatCarMLP",
        "twofold.reference.models.catcar_mlp:CatCarMLP",
        {"hidden": (20,)},
    ),
    loss=Twin("twofold.scratch:HalfMSELoss", "twofold.reference.losses:HalfMSELoss"),
    optimizer=Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.35}),
    dataset="catcar",
    metrics=("mse", "sign_accuracy"),
    recipe=Recipe(batch=38, epochs=300, report_steps=200),
    check=CheckSize(
        arguments={"pixels": 17, "hidden": (7,)},
        inputs=(Draw((6, 17)),),
        target=Draw((6, 1)),
    ),
    sizes=(CheckSize({"pixels": 8}, (Draw((8, 8)),), Draw((8, 1))),),
)


def hidden(*sizes: int, check: tuple[int, ...], **optimizer: float) -> Pair:
    name = "-".join(["catcar-mlp", *map(str, sizes), *optimizer])
    return replace(
        MLP,
        name=name,
        title=f"catcar-mlp with {' and '.join(map(str, sizes))} hidden units{', momentum' if optimizer else ''}",
        variant_of=MLP.name,
        model=MLP.model.given(hidden=sizes),
        optimizer=MLP.optimizer.given(**optimizer),
        check=replace(MLP.check, arguments={**MLP.check.arguments, "hidden": check}),
    )


PAIRS = (
    MLP,
    hidden(4, check=(4,)),
    hidden(200, check=(13,)),
    hidden(512, 64, check=(11, 8)),
    hidden(512, 64, check=(9, 7), momentum=0.2),
)
