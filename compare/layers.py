"""The table of layer cases: every layer and loss of scratch by itself, with sizes that all differ."""

from dataclasses import replace
from typing import Any

from twofold.compare.pair import Case, Draw, Draws, Twin


def case(name: str, layer: str, *inputs: Draws, **arguments: Any) -> Case:
    """`layer` has one name and one set of arguments in scratch and torch.nn."""
    home = "twofold.reference.recurrent" if layer in ("SigmoidRNN", "ResetFirstGRU") else "torch.nn"
    time_axis = 0 if "hidden_size" in arguments and not arguments.get("batch_first") else 1
    return Case(name, Twin(f"twofold.scratch:{layer}", f"{home}:{layer}", arguments), inputs, time_axis=time_axis)


def loss(name: str, layer: str, x: Draw, target: Draw, home: str = "torch.nn", **arguments: Any) -> Case:
    """A loss sends no gradient to its target."""
    return Case(
        name, Twin(f"twofold.scratch:{layer}", f"{home}:{layer}", arguments), (x, target), constants=("<input>[1]",)
    )


def recurrent(layer: str) -> tuple[Case, ...]:
    """A recurrent layer in both layouts, with a given state, without bias, for one step."""
    state, sizes = Draw((1, 5, 4)), {"input_size": 3, "hidden_size": 4}
    name = layer.lower()
    return (
        case(name, layer, Draw((7, 5, 3)), **sizes),
        case(f"{name}-batch-first", layer, Draw((5, 7, 3)), **sizes, batch_first=True),
        case(f"{name}-state", layer, Draw((7, 5, 3)), state, **sizes),
        case(f"{name}-batch-first-state", layer, Draw((5, 7, 3)), state, **sizes, batch_first=True),
        case(f"{name}-no-bias", layer, Draw((7, 5, 3)), **sizes, bias=False),
        case(f"{name}-one-step", layer, Draw((1, 5, 3)), state, **sizes),
    )


REDUCTIONS = ("mean", "sum", "none")
LOSSES = "twofold.reference.losses"  # those that torch.nn lacks

FORMS: tuple[Case, ...] = (
    case("linear", "Linear", Draw((6, 5)), in_features=5, out_features=7),
    case("linear-no-bias", "Linear", Draw((6, 5)), in_features=5, out_features=7, bias=False),
    case("linear-square", "Linear", Draw((6, 5)), in_features=5, out_features=5),
    case("linear-three-axes", "Linear", Draw((3, 4, 5)), in_features=5, out_features=7),
    case("embedding", "Embedding", Draw((6, 3), high=11), num_embeddings=11, embedding_dim=5),
    case("embedding-duplicates", "Embedding", Draw((8, 7), high=3), num_embeddings=11, embedding_dim=5),
    case("conv", "Conv2d", Draw((5, 3, 9, 11)), in_channels=3, out_channels=4, kernel_size=3),
    case("conv-padded", "Conv2d", Draw((5, 2, 7, 8)), in_channels=2, out_channels=3, kernel_size=3, padding=1),
    case("conv-strided", "Conv2d", Draw((5, 3, 9, 11)), in_channels=3, out_channels=4, kernel_size=3, stride=2),
    case("conv-cropped", "Conv2d", Draw((5, 3, 10, 12)), in_channels=3, out_channels=4, kernel_size=3, stride=2),
    case(
        "conv-oblong",
        "Conv2d",
        Draw((5, 2, 13, 11)),
        in_channels=2,
        out_channels=6,
        kernel_size=(4, 3),
        stride=(3, 2),
        padding=(2, 1),
        bias=False,
    ),
    case(
        "conv-padded-oblong",
        "Conv2d",
        Draw((5, 3, 7, 9)),
        in_channels=3,
        out_channels=4,
        kernel_size=(3, 5),
        padding=(1, 2),
    ),
    case("conv-flat", "Conv2d", Draw((4, 2, 7, 8)), in_channels=2, out_channels=3, kernel_size=(1, 3)),
    case("pool", "MaxPool2d", Draw((5, 3, 8, 6)), kernel_size=2),
    case("pool-odd", "MaxPool2d", Draw((5, 3, 9, 7)), kernel_size=2),
    case("pool-overlapping", "MaxPool2d", Draw((5, 3, 9, 8)), kernel_size=3, stride=2),
    case("pool-overlapping-rows", "MaxPool2d", Draw((5, 2, 8, 6)), kernel_size=(3, 2), stride=(1, 2)),
    case("pool-overlapping-columns", "MaxPool2d", Draw((5, 2, 6, 8)), kernel_size=(2, 3), stride=(2, 1)),
    case("pool-oblong", "MaxPool2d", Draw((5, 2, 10, 7)), kernel_size=(3, 2), stride=(2, 3)),
    case("flatten", "Flatten", Draw((5, 2, 3, 4))),
    case("relu", "ReLU", Draw((6, 17))),
    case("relu-small", "ReLU", Draw((6, 17), scale=1e-6)),
    case("tanh", "Tanh", Draw((6, 5))),
    case("tanh-small", "Tanh", Draw((6, 5), scale=1e-6)),
    case("sigmoid", "Sigmoid", Draw((6, 5))),
    case("lstm", "LSTM", Draw((7, 5, 3)), input_size=3, hidden_size=4),
    case("lstm-batch-first", "LSTM", Draw((5, 7, 3)), input_size=3, hidden_size=4, batch_first=True),
    case(
        "lstm-state",
        "LSTM",
        Draw((7, 5, 3)),
        (Draw((1, 5, 4)), Draw((1, 5, 4))),
        input_size=3,
        hidden_size=4,
    ),
    case(
        "lstm-batch-first-state",
        "LSTM",
        Draw((5, 7, 3)),
        (Draw((1, 5, 4)), Draw((1, 5, 4))),
        input_size=3,
        hidden_size=4,
        batch_first=True,
    ),
    case("lstm-no-bias", "LSTM", Draw((7, 5, 3)), input_size=3, hidden_size=4, bias=False),
    case(
        "lstm-one-step",
        "LSTM",
        Draw((1, 5, 3)),
        (Draw((1, 5, 4)), Draw((1, 5, 4))),
        input_size=3,
        hidden_size=4,
    ),
    case("leaky-relu", "LeakyReLU", Draw((6, 17)), negative_slope=0.25),
    *(case for layer in ("RNN", "SigmoidRNN", "GRU", "ResetFirstGRU") for case in recurrent(layer)),
    case("batch-norm-1d", "BatchNorm1d", Draw((7, 5)), num_features=5, eps=1e-3, momentum=0.3),
    case("batch-norm-1d-plain", "BatchNorm1d", Draw((7, 5)), num_features=5, affine=False),
    case("batch-norm-2d", "BatchNorm2d", Draw((5, 3, 4, 6)), num_features=3),
    case("layer-norm", "LayerNorm", Draw((6, 7)), normalized_shape=7, eps=1e-3),
    case("layer-norm-three-axes", "LayerNorm", Draw((4, 5, 7)), normalized_shape=7),
    case("layer-norm-two-axes", "LayerNorm", Draw((5, 3, 4)), normalized_shape=(3, 4)),
    case("layer-norm-no-bias", "LayerNorm", Draw((6, 7)), normalized_shape=7, bias=False),
    case("layer-norm-plain", "LayerNorm", Draw((6, 7)), normalized_shape=7, elementwise_affine=False),
    case("group-norm", "GroupNorm", Draw((5, 6, 3, 4)), num_groups=2, num_channels=6, eps=1e-2),
    case("group-norm-plain", "GroupNorm", Draw((3, 6, 5)), num_groups=3, num_channels=6, affine=False),
    *(
        loss(f"cross-entropy-{reduction}", "CrossEntropyLoss", Draw((6, 5)), Draw((6,), high=5), reduction=reduction)
        for reduction in REDUCTIONS
    ),
    *(
        loss(f"softmax-bce-{kind}", "SoftmaxBCELoss", Draw((23, 5)), Draw((23,), high=5), LOSSES, reduction=kind)
        for kind in REDUCTIONS
    ),
    *(loss(f"mse-{reduction}", "MSELoss", Draw((6, 5)), Draw((6, 5)), reduction=reduction) for reduction in REDUCTIONS),
    *(
        loss(f"half-mse-{kind}", "HalfMSELoss", Draw((6, 5)), Draw((6, 5)), LOSSES, reduction=kind)
        for kind in REDUCTIONS
    ),
    loss("hinge", "MultiClassHingeLoss", Draw((6, 17)), Draw((6,), high=17), home=LOSSES),
    # hidden activations lie in (0, 1), as a sigmoid's
    loss("sparse-loss", "SparseAutoencoderLoss", Draw((6, 18), scale=0.1, mean=0.5), Draw((6, 11)), LOSSES, beta=0.3),
)

# All axes equally long, which are told apart above: a layer that looks at sizes may take one for another.
SQUARE: tuple[Case, ...] = (
    case("linear-all-equal", "Linear", Draw((5, 5)), in_features=5, out_features=5),
    case("embedding-all-equal", "Embedding", Draw((5, 5), high=5, every=True), num_embeddings=5, embedding_dim=5),
    case("conv-all-equal", "Conv2d", Draw((4, 4, 4, 4)), in_channels=4, out_channels=4, kernel_size=3, padding=1),
    case("pool-all-equal", "MaxPool2d", Draw((4, 4, 4, 4)), kernel_size=2),
    case("batch-norm-1d-all-equal", "BatchNorm1d", Draw((5, 5)), num_features=5),
    case("batch-norm-2d-all-equal", "BatchNorm2d", Draw((4, 4, 4, 4)), num_features=4),
    case("layer-norm-all-equal", "LayerNorm", Draw((5, 5, 5)), normalized_shape=5),
    case("layer-norm-rows-equal", "LayerNorm", Draw((5, 5)), normalized_shape=5),
    case("group-norm-all-equal", "GroupNorm", Draw((4, 4, 4, 4)), num_groups=2, num_channels=4),
    *(
        case(f"{layer.lower()}-all-equal", layer, Draw((4, 4, 4)), input_size=4, hidden_size=4, batch_first=first)
        for layer, first in (
            ("RNN", True),
            ("SigmoidRNN", False),
            ("LSTM", True),
            ("GRU", False),
            ("ResetFirstGRU", True),
        )
    ),
    loss("cross-entropy-all-equal", "CrossEntropyLoss", Draw((5, 5)), Draw((5,), high=5, every=True)),
    loss("softmax-bce-all-equal", "SoftmaxBCELoss", Draw((5, 5)), Draw((5,), high=5, every=True), LOSSES),
    loss("hinge-all-equal", "MultiClassHingeLoss", Draw((5, 5)), Draw((5,), high=5, every=True), LOSSES),
)

# More channels, units, words and steps than any pair has at check size.
WIDE: tuple[Case, ...] = (
    case("linear-wide", "Linear", Draw((3, 41)), in_features=41, out_features=37),
    case("embedding-long", "Embedding", Draw((7, 19), high=131), num_embeddings=131, embedding_dim=3),
    case("conv-wide", "Conv2d", Draw((2, 17, 5, 6)), in_channels=17, out_channels=19, kernel_size=3, padding=1),
    case("lstm-long", "LSTM", Draw((23, 2, 3)), input_size=3, hidden_size=17),
    case("gru-long", "GRU", Draw((23, 2, 3)), input_size=3, hidden_size=17),
)

NORMS = ("BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm")


def few_records(form: Case) -> Case:
    """The case with a batch of 1, or of 3 for a norm: fewer have no variance to speak of."""
    norm = form.model.scratch.rpartition(":")[2] in NORMS
    axis = 1 if form.time_axis == 0 else 0

    def fewer(draw: Draws, axis: int) -> Draws:
        if isinstance(draw, tuple):
            return tuple(fewer(part, axis) for part in draw)
        return replace(draw, shape=(*draw.shape[:axis], 3 if norm else 1, *draw.shape[axis + 1 :]))

    # a recurrent layer's state has its batch second in either layout
    first, *states = form.inputs
    inputs = (
        fewer(first, axis),
        *(
            fewer(state, 1 if isinstance(state, tuple) or "hidden_size" in form.model.arguments else 0)
            for state in states
        ),
    )
    return replace(form, name=f"{form.name}-batch-{3 if norm else 1}", inputs=inputs)


def with_few_records(forms: tuple[Case, ...]) -> tuple[Case, ...]:
    """Every form, and the same with a small batch where its own is not."""
    small = (few_records(form) for form in forms)
    return (*forms, *(new for new, form in zip(small, forms, strict=True) if new.inputs != form.inputs))


# Where exp overflows, or would in another form; enough entries that some lie where there is a slope.
EXTREMES: tuple[Case, ...] = (
    case("sigmoid-large", "Sigmoid", Draw((4, 301), scale=1000)),
    case("tanh-large", "Tanh", Draw((4, 301), scale=1000)),
    loss("cross-entropy-large", "CrossEntropyLoss", Draw((31, 5), scale=1000), Draw((31,), high=5), reduction="sum"),
    loss("softmax-bce-large", "SoftmaxBCELoss", Draw((31, 5), scale=1000), Draw((31,), high=5), LOSSES),
)


def single(form: Case) -> Case:
    """Of one record without an axis for more."""
    return replace(form, batched=False)


# What torch takes besides: one record by itself, and a batch of none, which proves no more than that nothing raises.
SINGLE: tuple[Case, ...] = tuple(
    map(
        single,
        (
            case("linear-single", "Linear", Draw((5,)), in_features=5, out_features=7),
            case("conv-single", "Conv2d", Draw((3, 9, 11)), in_channels=3, out_channels=4, kernel_size=3, padding=1),
            case("pool-single", "MaxPool2d", Draw((3, 9, 8)), kernel_size=3, stride=2),
            case("layer-norm-single", "LayerNorm", Draw((7,)), normalized_shape=7),
            case("embedding-single", "Embedding", Draw((), high=11), num_embeddings=11, embedding_dim=5),
            loss("cross-entropy-single", "CrossEntropyLoss", Draw((5,)), Draw((), high=5)),
            loss("mse-single", "MSELoss", Draw((5,)), Draw((5,))),
        ),
    )
)
EMPTY: tuple[Case, ...] = (
    case("linear-empty", "Linear", Draw((0, 5)), in_features=5, out_features=7),
    case("conv-empty", "Conv2d", Draw((0, 3, 9, 11)), in_channels=3, out_channels=4, kernel_size=3),
    case("pool-empty", "MaxPool2d", Draw((0, 3, 9, 8)), kernel_size=2),
    case("flatten-empty", "Flatten", Draw((0, 2, 3, 4))),
    case("relu-empty", "ReLU", Draw((0, 4))),
    case("tanh-empty", "Tanh", Draw((0, 4))),
    case("embedding-empty", "Embedding", Draw((0, 3), high=11), num_embeddings=11, embedding_dim=5),
    case("lstm-empty", "LSTM", Draw((7, 0, 3)), input_size=3, hidden_size=4),
    case("gru-empty", "GRU", Draw((7, 0, 3)), input_size=3, hidden_size=4),
    case("layer-norm-empty", "LayerNorm", Draw((0, 7)), normalized_shape=7),
    case("group-norm-empty", "GroupNorm", Draw((0, 6, 5)), num_groups=3, num_channels=6),
    loss("cross-entropy-empty", "CrossEntropyLoss", Draw((0, 5)), Draw((0,), high=5), reduction="sum"),
    loss("mse-empty", "MSELoss", Draw((0, 5)), Draw((0, 5)), reduction="sum"),
)


def penalised(name: str, layer: str, x: Draw, out: Draw, **arguments: Any) -> Case:
    """A penalty has no input of its own: a layer trained with it."""
    return replace(
        case(name, layer, x, **arguments),
        loss=Twin("twofold.scratch:MSELoss", "torch.nn:MSELoss"),
        target=out,
        optimizer=Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.1}),
        penalty=Twin("twofold.scratch:L2Penalty", f"{LOSSES}:L2Penalty", {"reg": 0.7}),
    )


PENALTIES: tuple[Case, ...] = (
    penalised("l2-penalty-of-linear", "Linear", Draw((6, 5)), Draw((6, 7)), in_features=5, out_features=7),
    penalised(
        "l2-penalty-of-conv",
        "Conv2d",
        Draw((5, 2, 7, 8)),
        Draw((5, 3, 5, 6)),
        in_channels=2,
        out_channels=3,
        kernel_size=3,
    ),
)

LAYERS = (*with_few_records(FORMS), *SQUARE, *WIDE, *EXTREMES, *PENALTIES)

# Every optimizer with every argument away from its default, for the check on equal gradients.
OPTIMIZERS: tuple[Twin, ...] = (
    Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.13}),
    Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.13, "weight_decay": 0.3}),
    Twin(
        "twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.13, "momentum": 0.7, "dampening": 0.2, "weight_decay": 0.3}
    ),
    Twin(
        "twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.13, "momentum": 0.7, "weight_decay": 0.3, "nesterov": True}
    ),
    Twin(
        "twofold.scratch:Adam", "torch.optim:Adam", {"lr": 0.02, "betas": (0.8, 0.97), "eps": 1e-5, "weight_decay": 0.3}
    ),
    Twin(
        "twofold.scratch:RMSprop",
        "torch.optim:RMSprop",
        {"lr": 0.02, "alpha": 0.9, "eps": 1e-5, "weight_decay": 0.3, "momentum": 0.6},
    ),
    Twin(
        "twofold.scratch:Adagrad",
        "torch.optim:Adagrad",
        {"lr": 0.02, "lr_decay": 0.1, "weight_decay": 0.3, "initial_accumulator_value": 0.2, "eps": 1e-5},
    ),
)
