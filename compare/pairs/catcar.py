"""Cats and cars."""

from compare.pair import CheckSize, Draw, Pair, Recipe, Twin

MLP = Pair(
    name="catcar-mlp",
    title="A tanh network that tells cats from cars by the sign of its output",
    model=Twin("scratch.models.catcar_mlp:CatCarMLP", "reference.models.catcar_mlp:CatCarMLP", {"hidden": (20,)}),
    loss=Twin("scratch:HalfMSELoss", "reference.losses:HalfMSELoss"),
    optimizer=Twin("scratch:SGD", "torch.optim:SGD", {"lr": 0.35}),
    dataset="catcar",
    metrics=("mse", "sign_accuracy"),
    recipe=Recipe(batch=38, epochs=300, report_steps=200),
    check=CheckSize(
        arguments={"pixels": 17, "hidden": (7,)},
        inputs=(Draw((6, 17)),),
        target=Draw((6, 1)),
    ),
)
