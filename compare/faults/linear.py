"""Faults of the linear layer and of the embedding, and of what models do between their layers."""

from typing import Any

from twofold.compare.faults.fault import LAST_BLOCK_DROPPED, backward, biased, edit, forward, misbehaviour, otherwise


def square(layer: Any) -> bool:
    return layer.in_features == layer.out_features


BIAS_GRADIENT = "np.ones(len(dout), dout.dtype) @ dout"
PRODUCT = "dout_part @ x"
TRANSPOSED = ("dout.T, size", "x.T, size", PRODUCT, "dout_part @ dout")

FAULTS = (
    backward(
        "F2",
        "the encoder's weights where the transposed decoder's belong",
        edit(
            "twofold.scratch.models.sparse_autoencoder:SparseAutoencoder.backward",
            "dhidden = self.decoder.backward(self.sigmoid2.backward(dout[:, :pixels]))",
            "dpixels = self.sigmoid2.backward(dout[:, :pixels])\n"
            "    self.decoder.backward(dpixels)\n"
            "    dhidden = dpixels @ self.encoder.weight.data.T",
        ),
        home="sparse-autoencoder",
    ),
    otherwise(
        "F10",
        "the output layer overwritten by a sigmoid",
        edit(
            "twofold.scratch.models.trigram_lm:TrigramLM.forward",
            "return self.fc2(self.sigmoid(self.fc1(total)))",
            "self.out = 1 / (1 + np.exp(-self.fc2(self.sigmoid(self.fc1(total)))))\n    return self.out",
        ),
        edit(
            "twofold.scratch.models.trigram_lm:TrigramLM.backward",
            "self.fc2.backward(dout)",
            "self.fc2.backward(dout * self.out * (1 - self.out))",
        ),
        home="trigram-lm",
    ),
    otherwise(
        "embeddings-averaged",
        "the embeddings averaged where they are summed",
        edit("twofold.scratch.models.trigram_lm:TrigramLM.forward", ".sum(axis=1)", ".mean(axis=1)"),
        edit("twofold.scratch.models.trigram_lm:TrigramLM.backward", "dtotal[:, None]", "dtotal[:, None] / shape[1]"),
    ),
    backward(
        "skipped-path",
        "the gradient that reaches the hidden units straight from the loss forgotten",
        edit(
            "twofold.scratch.models.sparse_autoencoder:SparseAutoencoder.backward",
            "dhidden + dout[:, pixels:]",
            "dhidden",
        ),
    ),
    backward(
        "linear-bias-forgotten",
        "the bias gradient forgotten",
        edit("Linear.accumulate", f"self.bias.grad += {BIAS_GRADIENT}", "pass"),
        where=biased,
    ),
    backward(
        "linear-bias-averaged",
        "the bias gradient averaged over the batch, which the loss has done",
        edit("Linear.accumulate", BIAS_GRADIENT, "dout.mean(axis=0)"),
        where=biased,
    ),
    backward(
        "linear-bias-in-single",
        "a float32 sum where float64 was given",
        edit("Linear.accumulate", BIAS_GRADIENT, "dout.sum(axis=0, dtype=np.float32)"),
        where=biased,
    ),
    backward(
        "linear-averaged-twice",
        "1/N in the weight gradient, which the loss has done",
        edit("Linear.accumulate", PRODUCT, f"{PRODUCT} / len(x)"),
    ),
    backward(
        "linear-first-record",
        "the weight gradient of the first record alone",
        edit("Linear.accumulate", PRODUCT, "dout_part[:, :1] @ x[:1]"),
    ),
    backward(
        "linear-input-transposed",
        "square weights transposed in the input gradient",
        edit("Linear.backward", "return dout @ self.weight.data", "return dout @ self.weight.data.T"),
        where=square,
    ),
    backward(
        "linear-weight-transposed",
        "the gradient of square weights transposed",
        edit("Linear.accumulate", *TRANSPOSED),
        where=square,
    ),
    otherwise(
        "linear-stored-transposed",
        "square weights stored as (in, out)",
        edit("Linear.forward", "self.weight.data.T", "self.weight.data"),
        edit("Linear.accumulate", *TRANSPOSED),
        edit("Linear.backward", "dout @ self.weight.data", "dout @ self.weight.data.T"),
        where=square,
    ),
    backward(
        "linear-detached",
        "nothing sent on to the layer before",
        edit("Linear.backward", "return dout @ self.weight.data", "return np.zeros_like(self.cache)"),
    ),
    forward(
        "linear-bias-twice",
        "the bias added twice",
        edit("Linear.forward", "out += self.bias.data", "out += 2 * self.bias.data"),
        where=biased,
    ),
    forward(
        "linear-in-single",
        "a float32 product where float64 was given",
        edit(
            "Linear.forward",
            "x @ self.weight.data.T",
            "(x.astype(np.float32) @ self.weight.data.T.astype(np.float32)).astype(x.dtype)",
        ),
    ),
    backward(
        "embedding-overwritten",
        "the gradients of a token that occurs twice overwritten instead of added",
        edit(
            "Embedding.backward",
            "np.add.at(total, entries.reshape(-1), dout.reshape(-1))",
            "total[entries] = dout.reshape(entries.shape)",
        ),
    ),
    otherwise(
        "embedding-counts-from-one",
        "tokens counted from 1",
        edit("Embedding.forward", "self.weight.data[tokens]", "self.weight.data[tokens - 1]"),
        edit("Embedding.backward", "tokens[:, None] *", "(tokens[:, None] - 1) *"),
    ),
    backward(
        "embedding-averaged",
        "a token's gradient averaged over its occurrences",
        edit(
            "Embedding.backward",
            "total.reshape(self.weight.data.shape)",
            "total.reshape(self.weight.data.shape)"
            " / np.maximum(np.bincount(tokens, minlength=self.num_embeddings), 1)[:, None]",
        ),
    ),
    misbehaviour(
        "linear-last-rows-forgotten",
        "the weight gradient's rows of a last, smaller block forgotten",
        edit("twofold.scratch.layers.linear:blocks", *LAST_BLOCK_DROPPED),
        checks=("chunks",),
        home="linear",
        only_at_home=True,
    ),
    misbehaviour(
        "linear-evaluates-with-old-weights",
        "the weights of the first evaluation kept for all later ones",
        edit(
            "Linear.forward",
            "x @ self.weight.data.T",
            'x @ (self.weight.data if self.training else vars(self).setdefault("_kept", self.weight.data.copy())).T',
        ),
        checks=("modes",),
        home="catcar-mlp",
        only_at_home=True,
    ),
    forward(
        "linear-square-transposed",
        "a weight that is not transposed where it is square",
        edit(
            "Linear.forward",
            "x @ self.weight.data.T",
            "x @ (self.weight.data if self.in_features == self.out_features else self.weight.data.T)",
        ),
        home="notmnist-mlp",
        only_at_home=True,
        checks=("sizes",),
    ),
)
