"""The next word."""

from dataclasses import replace

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin

LM = Pair(
    name="trigram-lm",
    title="The fourth word from the sum of the three words' embeddings before it",
    model=Twin("twofold.scratch.models.trigram_lm:TrigramLM", "twofold.reference.models.trigram_lm:TrigramLM"),
    loss=Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
    optimizer=Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.15, "momentum": 0.85}),
    dataset="trigrams",
    metrics=("accuracy",),
    recipe=Recipe(batch=200, epochs=50, report_steps=2000, stop_below=2.0),
    # of a thirtieth of the text a thirtieth of the steps: in larger batches the loss stays on its plateau
    embedded={"batch": 25, "epochs": 25},
    check=CheckSize(
        arguments={"words": 13, "embedding": 5, "hidden": 11},
        inputs=(Draw((8, 3), high=13),),
        target=Draw((8,), high=13),
    ),
    sizes=(
        CheckSize(
            {"words": 8, "embedding": 8, "hidden": 8},
            (Draw((8, 3), high=8, every=True),),
            Draw((8,), high=8, every=True),
        ),
    ),
)


def sized(embedding: int, hidden: int, check: tuple[int, int]) -> Pair:
    return replace(
        LM,
        name=f"trigram-lm-{embedding}-{hidden}",
        title=f"trigram-lm with embeddings of {embedding} and {hidden} hidden units",
        variant_of=LM.name,
        model=LM.model.given(embedding=embedding, hidden=hidden),
        check=replace(LM.check, arguments={"words": 13, "embedding": check[0], "hidden": check[1]}),
    )


BCE = replace(
    LM,
    name="trigram-lm-bce",
    title="trigram-lm with binary cross-entropy of every word's softmax",
    variant_of=LM.name,
    loss=Twin("twofold.scratch:SoftmaxBCELoss", "twofold.reference.losses:SoftmaxBCELoss"),
    check=replace(LM.check, arguments={"words": 13, "embedding": 6, "hidden": 10}),
)

PAIRS = (LM, sized(8, 64, (4, 9)), sized(32, 256, (7, 17)), BCE)
