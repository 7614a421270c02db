"""Faults of the recurrent layers, and of the models that read their last state."""

from typing import Any

from twofold.compare.faults.fault import backward, edit, forward, misbehaviour, otherwise, update


def biased(layer: Any) -> bool:
    return layer.bias_ih_l0 is not None


def truncated(model: Any) -> bool:
    return model.truncate is not None


ACTIVITY = "twofold.scratch.models.activity:Activity.backward"
SINE = "twofold.scratch.models.sine_rnn:SineRNN"
ONE_STEP = tuple(
    f"{layer}-one-step{batch}" for layer in ("rnn", "sigmoidrnn", "gru", "resetfirstgru") for batch in ("", "-batch-1")
)
ADD, PRODUCT = "twofold.scratch.layers.recurrent:add_gradients", "rows.T @ met.reshape(-1, met.shape[2])"
LATEST_FIRST, BLOCKS = "twofold.scratch.layers.recurrent:latest_first", "list(blocks(*arrays, size=BLOCK_BYTES))"
GATES, CELLS = "i, f, g, o = ", "da_i, da_f, da_g, da_o ="
LSTM_LOOP = ("for t in reversed(range(steps))", "for t in reversed(range(1, steps))")

FAULTS = (
    backward(
        "F1-lstm",
        "the candidate's tanh derivative fed the activated value",
        edit("LSTM.backward_steps", "(1 - g * g)", "(1 - np.tanh(g) ** 2)"),
        home="activity-lstm",
    ),
    backward(
        "F5",
        "the loss gradient added at every time step",
        edit(
            ACTIVITY,
            "dstates[:, -1] = self.classifier.backward(dout)",
            "dstates[...] = self.classifier.backward(dout)[:, None]",
        ),
        home="activity-rnn",
    ),
    backward(
        "F5-sine",
        "the loss gradient added at every time step",
        edit(
            f"{SINE}.backward",
            "dstates[:, -1] = self.output.backward(dout)",
            "dstates[...] = self.output.backward(dout)[:, None]",
        ),
        home="sine-rnn",
    ),
    backward(
        "F6",
        "back-propagation through an RNN stops at t = 1",
        edit(
            "RNN.backward_steps",
            "da = self.slope(h)",
            "da = self.slope(h)\n    da[0] = 0",
            "reversed(range(len(x)))",
            "reversed(range(1, len(x)))",
        ),
        home="activity-rnn",
    ),
    backward(
        "F6-lstm",
        "back-propagation through an LSTM stops at t = 1",
        edit("LSTM.backward", "dx = np.empty", "dx = np.zeros"),
        edit("LSTM.backward_steps", "da = np.empty", "da = np.zeros", *LSTM_LOOP),
        home="activity-lstm",
    ),
    backward(
        "F7",
        "the reset gate's gradient taken before the candidate's tanh derivative",
        edit("ResetFirstGRU.backward_steps", "dreset = dn[t] @ w_n", "dreset = (dh * (1 - z[t])) @ w_n"),
        home="activity-reset-first-gru",
    ),
    backward(
        "F8",
        "the path through r h into the state before missing",
        edit("ResetFirstGRU.backward_steps", "dh * z[t] + dreset * r[t] + dr", "dh * z[t] + dr"),
        home="activity-reset-first-gru",
    ),
    otherwise(
        "F21",
        "the update gate's z and 1 - z exchanged",
        edit("GRU.forward", "n + z * (h[t] - n)", "h[t] + z * (n - h[t])"),
        edit(
            "GRU.backward_steps",
            "dn = (1 - z)",
            "dn = z",
            "h - n",
            "n - h",
            "dh *= z[t]",
            "dh *= 1 - z[t]",
        ),
        home="activity-gru",
    ),
    forward(
        "F25",
        "the state of one batch carried into the next",
        edit(
            "LSTM.forward",
            "state or (None, None)",
            'state or vars(self).get("carried", (None, None))',
            "self.cache = z, c, gates, tanh_c, weight, alone",
            "self.cache = z, c, gates, tanh_c, weight, alone\n"
            "    self.carried = z[-1:, :hidden].swapaxes(1, 2).copy(), c[-1:].swapaxes(1, 2).copy()",
        ),
        home="activity-lstm",
        checks=("resync",),
    ),
    backward(
        "F34",
        "products of a matrix and a vector broadcast over the columns of U and W",
        edit(ADD, PRODUCT, f"np.repeat(({PRODUCT}).sum(axis=1, keepdims=True), met.shape[2], axis=1)"),
        home="sine-rnn",
    ),
    backward(
        "rnn-state-of-the-step",
        "the recurrent weights' gradient with the step's own state",
        edit("RNN.backward_steps", "(da, before)", "(da, h)"),
    ),
    backward(
        "rnn-not-carried",
        "nothing carried back from step to step",
        edit("RNN.backward_steps", "np.matmul(da[t], self.weight_hh_l0.data, out=dh)", "dh *= 0"),
    ),
    backward(
        "rnn-transposed",
        "the recurrent weights transposed in the backward pass",
        edit("RNN.backward_steps", "(da[t], self.weight_hh_l0.data,", "(da[t], self.weight_hh_l0.data.T,"),
    ),
    backward(
        "rnn-last-state-forgotten",
        "the gradient of the last state not taken in",
        edit("RNN.backward", "np.zeros_like(h[0]) if dh_n is None else dh_n[0].copy()", "np.zeros_like(h[0])"),
        home="rnn",
        only_at_home=True,
    ),
    forward(
        "rnn-one-bias",
        "the second bias forgotten",
        edit("RNN.forward", "self.biases().sum(axis=0)", "self.biases()[0]"),
        where=biased,
    ),
    backward(
        "rnn-slope-of-tanh",
        "tanh's slope for sigmoid units",
        edit("SigmoidRNN.slope", "h * (1 - h)", "1 - h * h"),
    ),
    forward(
        "first-state-ignored",
        "a given first state ignored",
        edit("twofold.scratch.layers.recurrent:Recurrent.initial", "return state[0]", "return 0 * state[0]"),
        home="rnn-state",
        only_at_home=True,
    ),
    backward(
        "averaged-over-time",
        "weight gradients averaged over the time steps",
        edit(ADD, PRODUCT, f"{PRODUCT} / len(d)"),
        harmless=ONE_STEP,
    ),
    backward(
        "recurrent-bias-forgotten",
        "the bias gradients forgotten",
        edit(ADD, "if bias is not None:", "if False:"),
        where=biased,
    ),
    otherwise(
        "lstm-gates-swapped",
        "input and forget gate swapped",
        edit("LSTM.forward", GATES, "f, i, g, o = "),
        edit("LSTM.backward_steps", GATES, "f, i, g, o = ", CELLS, "da_f, da_i, da_g, da_o ="),
    ),
    backward(
        "lstm-gate-gradients-swapped",
        "the gradients of input and forget gate swapped",
        edit("LSTM.backward_steps", CELLS, "da_f, da_i, da_g, da_o ="),
    ),
    backward(
        "lstm-cell-dropped",
        "the carried cell gradient dropped",
        edit("LSTM.backward_steps", "dc = dc + dh * o", "dc = dh * o"),
    ),
    backward(
        "lstm-cell-not-forgotten",
        "the cell gradient carried past the forget gate",
        edit("LSTM.backward_steps", "dc * f, dz", "dc, dz"),
    ),
    backward(
        "lstm-cell-slope-missing",
        "the derivative of the cell's tanh missing",
        edit("LSTM.backward_steps", "dh * o * (1 - tanh_c[t] * tanh_c[t])", "dh * o"),
    ),
    forward(
        "lstm-cell-not-squashed",
        "the cell itself where its tanh belongs",
        edit("LSTM.forward", "np.multiply(o, tanh_c[t],", "np.multiply(o, c[t + 1],"),
        home="activity-lstm",
    ),
    otherwise(
        "lstm-without-tanh-of-the-cell",
        "no tanh of the cell, forward and backward",
        edit("LSTM.forward", "np.tanh(c[t + 1], out=tanh_c[t])", "tanh_c[t] = c[t + 1]"),
        edit("LSTM.backward_steps", "dh * o * (1 - tanh_c[t] * tanh_c[t])", "dh * o"),
    ),
    backward(
        "lstm-state-for-cell",
        "the forget gate's gradient with h where c belongs",
        edit("LSTM.backward_steps", "dc * c[t] *", "dc * z[t, :hidden] *"),
    ),
    forward(
        "lstm-last-states-exchanged",
        "the last h and c given in each other's place",
        edit(
            "LSTM.forward",
            "(z[-1:, :hidden].swapaxes(1, 2).copy(), c[-1:].swapaxes(1, 2).copy())",
            "(c[-1:].swapaxes(1, 2).copy(), z[-1:, :hidden].swapaxes(1, 2).copy())",
        ),
        home="lstm",
        only_at_home=True,
    ),
    forward(
        "lstm-first-states-exchanged",
        "the first h and c taken in each other's place",
        edit("LSTM.forward", "h0, c0 = state", "c0, h0 = state"),
        home="lstm-state",
        only_at_home=True,
    ),
    backward(
        "lstm-cell-of-the-step",
        "the forget gate's gradient with the step's own cell",
        edit("LSTM.backward_steps", "dc * c[t] *", "dc * (f * c[t] + i * g) *"),
    ),
    backward(
        "lstm-output-not-carried",
        "no gradient from the gates into the state before",
        edit("LSTM.backward_steps", "= dz[:hidden], dc", "= 0 * dz[:hidden], dc"),
    ),
    backward(
        "lstm-second-bias-forgotten",
        "the second bias's gradient forgotten",
        edit("LSTM.backward_steps", "self.bias_hh_l0.grad += dweight[:, -1]", "pass"),
        where=biased,
    ),
    backward(
        "gru-reset-missing",
        "the reset gate missing in the candidate's recurrent gradient",
        edit("GRU.backward_steps", "np.multiply(dn[t], r[t], out=dgate[t])", "dgate[t] = dn[t]"),
    ),
    backward(
        "gru-update-sign",
        "the update gate's gradient with the wrong sign",
        edit("GRU.backward_steps", "h - n", "n - h"),
    ),
    backward(
        "gru-not-carried",
        "the gradient past the gates into the state before missing",
        edit("GRU.backward_steps", "dh *= z[t]", "dh *= 0"),
    ),
    backward(
        "gru-reset-without-bias",
        "the reset gate's gradient without the candidate's recurrent bias",
        edit("GRU.backward_steps", "np.multiply(gate,", "np.multiply(gate - self.bias_hh_l0.data[-gate.shape[2] :],"),
        where=biased,
    ),
    otherwise(
        "read-at-the-first-step",
        "the first hidden state read where the last belongs",
        edit("twofold.scratch.models.activity:Activity.forward", "out[:, -1]", "out[:, 0]"),
        edit(ACTIVITY, "dstates[:, -1] =", "dstates[:, 0] ="),
    ),
    otherwise(
        "truncated-a-step-late",
        "the gradient goes back one step more than was asked",
        edit(f"{SINE}.forward", "(self.truncate or x.shape[1])", "((self.truncate or x.shape[1]) + 1)"),
        home="sine-rnn-truncated",
        where=truncated,
    ),
    update(
        "clipped-at-half",
        "gradients clipped at half the limit",
        edit(
            "twofold.compare.sides.scratch:clip_grad_value_",
            "-clip_value, clip_value, out",
            "-clip_value / 2, clip_value / 2, out",
        ),
    ),
    backward(
        "clipped-before-adding",
        "each time step's gradient clipped instead of their sum",
        edit(ADD, PRODUCT, "np.clip(d.swapaxes(1, 2) @ met, -0.1, 0.1).sum(axis=0)"),
        home="activity-rnn-truncated-clipped",
        only_at_home=True,
    ),
    misbehaviour(
        "recurrent-last-steps-forgotten",
        "the steps of a last, smaller block forgotten",
        edit(
            LATEST_FIRST,
            f"return reversed({BLOCKS})",
            f"parts = {BLOCKS}\n    return reversed([part for part in parts if len(part[0]) == len(parts[0][0])])",
        ),
        edit("RNN.backward", "dx = np.empty(", "dx = np.zeros("),
        home="rnn",
        only_at_home=True,
        checks=("chunks",),
    ),
    misbehaviour(
        "recurrent-blocks-from-the-first",
        "gone back block by block from the first one to the last",
        edit(LATEST_FIRST, f"reversed({BLOCKS})", BLOCKS),
        home="gru-state",
        only_at_home=True,
        checks=("chunks",),
    ),
)
