"""Fully connected nets on colour images."""

from dataclasses import replace
from typing import Any

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin


def optimizer(name: str, **arguments: Any) -> Twin:
    return Twin(f"twofold.scratch:{name}", f"torch.optim:{name}", arguments)


def penalty(reg: float) -> Twin:
    return Twin("twofold.scratch:L2Penalty", "twofold.reference.losses:L2Penalty", {"reg": reg})


NET = Pair(
    name="fc-net",
    title="Five hidden layers of 100 on colour images, momentum",
    model=Twin(
        "twofold.scratch.models.fc_net:FCNet",
        "twofold.reference.models.fc_net:FCNet",
        {"hidden": (100,) * 5, "weight_scale": 5e-2},
    ),
    loss=Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
    optimizer=optimizer("SGD", lr=1e-2, momentum=0.9),
    dataset="cifar10-mean-image",
    metrics=("accuracy",),
    recipe=Recipe(batch=100, epochs=5, report_steps=100, records=4000),  # on which update rules are compared
    check=CheckSize(
        arguments={"inputs": 17, "hidden": (11, 9, 8, 7, 13), "classes": 10},
        inputs=(Draw((6, 17)),),
        target=Draw((6,), high=10),
    ),
    sizes=(CheckSize({"inputs": 10}, (Draw((10, 10)),), Draw((10,), high=10, every=True)),),
)
HINGE = Twin("twofold.scratch:MultiClassHingeLoss", "twofold.reference.losses:MultiClassHingeLoss")


def variant(name: str, title: str, *, check: tuple[int, ...] = (11, 9), **changes: Any) -> Pair:
    """Among the changes are the arguments of `model` and `recipe`; `check_model` are the model's at check size."""
    model, check_model = changes.pop("model", {}), changes.pop("check_model", {})
    arguments = {"inputs": 17, "classes": 10, "hidden": check, **check_model}
    return replace(
        NET,
        name=f"fc-net-{name}",
        title=title,
        variant_of=NET.name,
        model=NET.model.given(**model),
        recipe=replace(NET.recipe, **{"records": None, **changes.pop("recipe", {})}),
        check=replace(NET.check, arguments=arguments),
        **changes,
    )


ADAM = optimizer("Adam", lr=1e-3)
OVERFIT = {"batch": 25, "records": 50, "epochs": 20}
RULES = {"records": 4000}  # on which the update rules are laid over each other
PAIRS = (
    NET,
    variant("sgd", "The five layers with plain SGD", optimizer=optimizer("SGD", lr=1e-2), recipe=RULES),
    variant("adam", "The five layers with Adam", optimizer=ADAM, recipe=RULES),
    variant("rmsprop", "The five layers with RMSprop", optimizer=optimizer("RMSprop", lr=1e-4), recipe=RULES),
    variant("adagrad", "The five layers with Adagrad", optimizer=optimizer("Adagrad", lr=1e-2, eps=1e-8), recipe=RULES),
    variant(
        "two-layer",
        "One hidden layer of 50 with an L2 penalty",
        recipe={"epochs": 10},
        optimizer=optimizer("SGD", lr=1e-3),  # the source's rate is not known; at 1e-2 with momentum it diverges
        check=(11,),
        model={"hidden": (50,), "weight_scale": 1e-3},
        penalty=penalty(0.25),
    ),
    variant(
        "svm",
        "One hidden layer of 100, multiclass hinge loss",
        check=(13,),
        model={"hidden": (100,), "weight_scale": 1e-2},
        loss=HINGE,
        optimizer=optimizer("SGD", lr=1e-3),
        penalty=penalty(0.25),
    ),
    variant(
        "overfit-three",
        "[100, 100] that overfits fifty images",
        recipe=OVERFIT,
        model={"hidden": (100, 100), "weight_scale": 0.1},
        optimizer=optimizer("SGD", lr=1e-3),
    ),
    variant(
        "overfit-five",
        "[100] * 4 that overfits fifty images",
        recipe=OVERFIT,
        check=(11, 9, 8, 7),
        model={"hidden": (100,) * 4, "weight_scale": 0.1},
        optimizer=optimizer("SGD", lr=2e-3),
    ),
    variant(
        "dropout",
        "One hidden layer of 500, each unit kept with probability 0.25, on 500 images",
        recipe={"records": 500, "epochs": 25},
        check=(19,),
        model={"hidden": (500,), "weight_scale": 1e-2, "keep": 0.25},
        check_model={"keep": 0.6},
        optimizer=optimizer("Adam", lr=5e-4),
    ),
    variant("batch-norm", "The five layers with batch normalisation", model={"norm": "batch"}, optimizer=ADAM),
    variant("layer-norm", "The five layers with layer normalisation", model={"norm": "layer"}, optimizer=ADAM),
    *(
        variant(
            name.replace("_", "-"),
            f"The five layers with {words} in place of ReLU",
            check=(11, 9, 8),
            model={"activation": name},
        )
        for name, words in (("sigmoid", "sigmoid"), ("tanh", "tanh"), ("leaky_relu", "leaky ReLU"))
    ),
    *(
        variant(
            f"grid-{scale:g}-{lr:g}",
            f"[100] * 4 with weight scale {scale:g} and Adam at {lr:g}",
            check=(11, 9, 8, 7),
            model={"hidden": (100,) * 4, "weight_scale": scale},
            optimizer=optimizer("Adam", lr=lr),
        )
        for scale in (1e-2, 2e-2, 5e-3)
        for lr in (1e-5, 5e-4)
    ),
)
