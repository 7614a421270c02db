"""A mistake in the forward pass of each net: the text that stands there, and the wrong one."""

FORWARD: dict[str, tuple[str, str]] = {
    "three_layers": ('h2 = np.tanh(h1 @ p["a"] + p["x"])', 'h2 = np.tanh(h1 @ p["a"] - p["x"])'),
    "channels_last": ("a = np.maximum(z, 0)", "a = np.maximum(z, 0.1 * z)"),
    "flipped_kernels": ("a.mean(axis=(2, 3))", "a.sum(axis=(2, 3))"),
    "lstm_four_matrices": ("c = forget * c + update * fresh", "c = forget * c + update * fresh * (1 - forget)"),
    "lstm_one_matrix": ("h = o * np.tanh(c)\n            hs.append", "h = o * c\n            hs.append"),
    "lstm_side_by_side": ("c = f * c + g * i", "c = f * c + g"),
    "gru_complement": ("inner = h @ p", "inner = (reset * h) @ p"),
    "plain_rnn": ('p["v"] @ x[:, t].T + p["u"] @ h', 'p["v"] @ x[:, t].T - p["u"] @ h'),
    "attention_fused": (
        "np.sqrt(E // heads)\n        shares = softmax(scores)",
        "np.sqrt(E)\n        shares = softmax(scores)",
    ),
    "attention_heads": ("mixed = np.concatenate(outs, axis=2)", "mixed = np.concatenate(outs[::-1], axis=2) * 1.1"),
    "tied_decoder": ("scores = h @", "scores = 0.5 * h @"),
    "bias_in_matrix": ('h = np.tanh(np.hstack([X, ones]) @ p["k"])', 'h = sigmoid(np.hstack([X, ones]) @ p["k"])'),
    "two_branches": ("h = one + other", "h = one - other"),
    "columns": ('h = np.maximum(0, p["c"] @ X + p["d"])', 'h = np.abs(p["c"] @ X + p["d"])'),
    "labels_from_one": (
        'h = np.tanh(X @ p["c"] + p["d"])\n        z = h @ p["a"]',
        'h = np.tanh(X @ p["c"])\n        z = h @ p["a"]',
    ),
    "signs": ("-y * z", "-2 * y * z"),
    "dropped": ('h = np.tanh(X @ p["c"] + p["d"])\n        if', 'h = np.tanh(2 * X @ p["c"] + p["d"])\n        if'),
    "norm_and_convolution_matrix": ("/ np.sqrt(var + 1e-5)", "/ (var + 1e-5)"),
    "units_apart": ('out = h @ p["v"] + p["c"]', 'out = (h + 1) @ p["v"] + p["c"]'),
}
