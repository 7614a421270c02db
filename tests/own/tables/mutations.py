"""What mutants of the styles' own lines showed: each kind that was told wrongly once."""

from tests.own.case import Truth, wrong


def mutant(style: int, file: str, name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"mutant-{file.replace('_', '-')}:{name}", style, file, {old: new}, *rest, **more)


UNUSED = "forward: a bias that backward has a gradient of"

TABLE = (
    mutant(
        2,
        "layer_functions",
        "other-axis",
        "    db = dout.sum(axis=0)",
        "    db = dout.sum(axis=1)",
        "backward: a gradient of another shape than its parameter",
        ("b",),
        call="call_square",
    ),
    mutant(
        8,
        "lists_biases_first",
        "overflown",
        "1.0 / (1.0 + np.exp(-z))",
        "1.0 / (1.0 + np.tanh(-z))",
        "forward: results are not finite, no parameter shows an effect",
    ),
    mutant(17, "nodes_with_diffs", "unused", "p.wf @ self.xc + p.bf", "p.wf @ self.xc", UNUSED),
    mutant(
        17,
        "nodes_with_diffs",
        "not-finite",
        "1.0 / (1 + np.exp(-x))",
        "1.0 * (1 + np.exp(-x))",
        "forward: finite and huge, gradients are not finite",
    ),
    mutant(
        14,
        "updated_inside",
        "grown",
        "np.sum(accum_grad, axis=0, keepdims=True)",
        "np.sum(accum_grad, axis=-1, keepdims=True)",
        "update: a step that leaves a parameter in another shape",
        ("w0",),
    ),
    mutant(
        1,
        "params_dict",
        "unused-no-gradients",
        "scores = h2 @ W3 + b3",
        "scores = h2 @ W3",
        UNUSED,
        ("output",),
        "open",
        call="call_scores",
    ),
    mutant(
        23,
        "nested_checkpoint",
        "little",
        'x = wte["weight"][inputs] + wpe["weight"][range(len(inputs))]',
        'x = (wte["weight"][inputs] + wpe["weight"][range(len(inputs))]) * (1 + 1e-9)',
        "forward: an error of 1e-9 is no convention",
        ("output",),
        "open",
    ),
)
