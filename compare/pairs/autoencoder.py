"""Patches of photographs."""

from dataclasses import replace
from typing import Any

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin

AUTOENCODER = Pair(
    name="sparse-autoencoder",
    title="Image patches through a narrow hidden layer whose units are seldom active, recipe A",
    model=Twin(
        "twofold.scratch.models.sparse_autoencoder:SparseAutoencoder",
        "twofold.reference.models.sparse_autoencoder:SparseAutoencoder",
        {"hidden": 64},
    ),
    loss=Twin(
        "twofold.scratch:SparseAutoencoderLoss",
        "twofold.reference.losses:SparseAutoencoderLoss",
        {"beta": 0.01, "rho": 0.2},
    ),
    penalty=Twin("twofold.scratch:L2Penalty", "twofold.reference.losses:L2Penalty", {"reg": 5e-4}),
    optimizer=Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.01}),
    dataset="patches",
    metrics=("reconstruction_mse",),
    recipe=Recipe(batch=16, epochs=80, report_steps=300),
    check=CheckSize(arguments={"pixels": 11, "hidden": 7}, inputs=(Draw((6, 11)),), target=Draw((6, 11))),
    sizes=(CheckSize({"pixels": 8, "hidden": 8}, (Draw((8, 8)),), Draw((8, 8))),),
)


def variant(name: str, hidden: int, batch: int, reg: float, check: int, adam: bool = False, **loss: Any) -> Pair:
    adaptive = Twin("twofold.scratch:Adam", "torch.optim:Adam", {"lr": 1e-3, "betas": (0.9, 0.999)})
    return replace(
        AUTOENCODER,
        name=f"sparse-autoencoder-{name}",
        title=f"sparse-autoencoder with {hidden} hidden units and L2 {reg:g}, recipe {'B' if adam else 'A'}",
        variant_of=AUTOENCODER.name,
        model=AUTOENCODER.model.given(hidden=hidden),
        loss=AUTOENCODER.loss.given(**loss),
        penalty=Twin("twofold.scratch:L2Penalty", "twofold.reference.losses:L2Penalty", {"reg": reg}),
        optimizer=adaptive if adam else AUTOENCODER.optimizer,
        recipe=Recipe(batch=batch, epochs=50, report_steps=300),
        check=replace(AUTOENCODER.check, arguments={"pixels": 11, "hidden": check}),
    )


PAIRS = (
    AUTOENCODER,
    *(variant(f"a-{h}", h, 32, 1e-2, c, beta=1e-3, rho=0.2) for h, c in ((12, 4), (50, 8), (98, 9))),
    variant("b", 64, 32, 5e-4, 7, adam=True, beta=0.1, rho=0.5),
    *(
        variant(f"b-{h}-{reg:g}", h, 32, reg, c, adam=True, beta=0.1, rho=0.5)
        for h, c in ((16, 4), (49, 6), (81, 9))
        for reg in (1e-5, 1e-4, 1e-3)
    ),
)
