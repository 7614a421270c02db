"""Faults of the optimizers."""

from twofold.compare.faults.fault import edit, update

DECAY = "g = g + self.weight_decay * p"
CLIP = "twofold.compare.sides.scratch:clip_grad_value_"
CUT = "np.clip(parameter.grad, -clip_value, clip_value, out=parameter.grad)"
BOUND = "clip_value / (np.sqrt((parameter.grad**2).sum()) + 1e-6)"
ADAM_ROOT = "denominator = np.sqrt(v, out=np.empty_like(v))"

FAULTS = (
    update(
        "F13",
        "Adam without bias correction",
        edit("Adam.update", "math.sqrt(1 - beta2**step)", "1", "self.lr / (1 - beta1**step)", "self.lr"),
        home="mnist-cnn",
    ),
    update(
        "F14",
        "Adam's moments restart every batch",
        edit("Adam.update", "if not state:", "if True:"),
        home="mnist-cnn",
    ),
    update(
        "F14-sgd",
        "momentum restarts every batch",
        edit("SGD.update", 'first = "momentum_buffer" not in state', "first = True"),
        home="trigram-lm",
    ),
    update(
        "F15",
        "Adam's eps inside the square root",
        edit("Adam.update", ADAM_ROOT, "denominator = np.sqrt(v + self.eps)", "denominator += self.eps", "pass"),
        home="mnist-cnn",
    ),
    update(
        "F16",
        "momentum on weights only",
        edit(
            "SGD.update",
            "if first and self.momentum:",
            "if first and self.momentum and data.ndim > 1:",
            "if self.momentum:",
            "if self.momentum and p.ndim > 1:",
        ),
        home="notmnist-mlp",
        where=lambda optimizer: any(parameter.data.ndim == 1 for parameter in optimizer.parameters.values()),
    ),
    update(
        "sgd-no-look-ahead",
        "nesterov's look-ahead missing",
        edit("SGD.update", "g + self.momentum * v if", "v if"),
    ),
    update(
        "sgd-first-dampened",
        "the first momentum dampened",
        edit("SGD.update", "v[...] = g", "v[...] = (1 - self.dampening) * g"),
    ),
    update(
        "sgd-dampening-forgotten",
        "dampening forgotten",
        edit("SGD.update", "(1 - self.dampening) * g", "g"),
    ),
    update(
        "sgd-averaged",
        "momentum as a running mean",
        edit("SGD.update", "v += (1 - self.dampening) * g", "v += (1 - self.momentum) * g"),
    ),
    update(
        "sgd-decoupled",
        "SGD's decay decoupled from the momentum",
        edit("SGD.update", DECAY, "p -= self.lr * self.weight_decay * p"),
    ),
    update(
        "sgd-writes-to-gradients",
        "decay written into the gradient",
        edit("SGD.update", DECAY, "g += self.weight_decay * p"),
    ),
    update("sgd-ascends", "SGD that ascends", edit("SGD.update", "p -= self.lr * g", "p += self.lr * g")),
    update(
        "adam-decoupled",
        "Adam's decay decoupled, as AdamW's",
        edit("Adam.update", DECAY, "p -= self.lr * self.weight_decay * p"),
    ),
    update(
        "adam-eps-before-correction",
        "Adam's eps added before the bias correction",
        edit("Adam.update", ADAM_ROOT, "denominator = np.sqrt(v) + self.eps", "denominator += self.eps", "pass"),
    ),
    update(
        "adam-betas-exchanged",
        "Adam's betas exchanged",
        edit("Adam.update", "beta1, beta2 = self.betas", "beta2, beta1 = self.betas"),
    ),
    update(
        "adam-one-step-late",
        "Adam's bias correction for the step before",
        edit("Adam.update", 'step = int(state["step"])', 'step = max(int(state["step"]) - 1, 1)'),
    ),
    update(
        "rmsprop-eps-inside",
        "RMSprop's eps inside the square root",
        edit("RMSprop.update", "np.sqrt(v) + self.eps", "np.sqrt(v + self.eps)"),
    ),
    update(
        "rmsprop-before-update",
        "RMSprop that divides by the mean before its update",
        edit(
            "RMSprop.update",
            "v *= self.alpha",
            "root = np.sqrt(v)\n        v *= self.alpha",
            "np.sqrt(v) + self.eps",
            "root + self.eps",
        ),
    ),
    update(
        "rmsprop-decoupled",
        "RMSprop's decay decoupled",
        edit("RMSprop.update", DECAY, "p -= self.lr * self.weight_decay * p"),
    ),
    update(
        "rmsprop-step-size-in-momentum",
        "the step size kept in RMSprop's momentum",
        edit("RMSprop.update", "b += change", "b += self.lr * change", "change = b", "change = b / self.lr"),
    ),
    update(
        "adagrad-decays-from-one",
        "Adagrad's step size decayed from the first step on",
        edit("Adagrad.update", '(int(state["step"]) - 1)', 'int(state["step"])'),
    ),
    update(
        "adagrad-overwritten",
        "Adagrad's sum overwritten",
        edit("Adagrad.update", "total += g * g", "total[...] = g * g"),
    ),
    update(
        "adagrad-from-zero",
        "Adagrad's initial sum ignored",
        edit(
            "Adagrad.__init__",
            "super().__init__(",
            "Optimizer.__init__(self, ",
            "np.full_like(parameter.data, initial_accumulator_value)",
            "np.zeros_like(parameter.data)",
        ),
    ),
    update(
        "adagrad-eps-inside",
        "Adagrad's eps inside the square root",
        edit("Adagrad.update", "np.sqrt(total) + self.eps", "np.sqrt(total + self.eps)"),
    ),
    update(
        "adam-steps-saturate",
        "a step count that ends at 255",
        edit("Adam.update", 'int(state["step"])', 'min(int(state["step"]), 255)'),
        home="mnist-cnn",
        checks=("extremes",),
    ),
    update(
        "adam-powers-in-half",
        "the bias correction in float16",
        edit("Adam.update", "math.sqrt(1 - beta2**step)", "float(np.sqrt(1 - np.float16(beta2) ** step))"),
        checks=("extremes",),
    ),
    update(
        "rmsprop-nan-to-zero",
        "a NaN of the gradient taken for 0",
        edit("RMSprop.update", "v *= self.alpha", "g = np.nan_to_num(g)\n        v *= self.alpha"),
        checks=("extremes",),
    ),
    update(
        "sgd-tiny-cut-off",
        "gradients below 1e-12 left out",
        edit("SGD.update", "p -= self.lr * g", "p -= self.lr * np.where(np.abs(g) > 1e-12, g, 0)"),
        checks=("extremes",),
    ),
    update(
        "adagrad-tiny-cut-off",
        "squares below 1e-24 left out of Adagrad's sum",
        edit("Adagrad.update", "total += g * g", "total += np.where(np.abs(g) > 1e-12, g * g, 0)"),
        checks=("extremes",),
    ),
    update(
        "state-by-shape",
        "one state for all parameters of a shape",
        edit(
            "twofold.scratch.optim:Optimizer.step",
            "self.state[name]",
            "next(self.state[n] for n, p in self.parameters.items() if p.data.shape == parameter.data.shape)",
        ),
        home="fc-net-adam",
        checks=("extremes",),
    ),
    update(
        "sgd-rate-in-velocity",
        "the rate kept inside the velocity",
        edit(
            "SGD.update",
            "v[...] = g",
            "v[...] = self.lr * g",
            "(1 - self.dampening) * g",
            "self.lr * (1 - self.dampening) * g",
            "g + self.momentum * v if",
            "self.lr * g + self.momentum * v if",
            "p -= self.lr * g",
            "p -= g if self.momentum else self.lr * g",
        ),
    ),
    update(
        "adam-shared-count",
        "one step count for all parameters, which each of them raises",
        edit(
            "Adam.update",
            'step = int(state["step"])',
            'step = self.count = vars(self).get("count", 0) + 1',
        ),
        home="mnist-cnn",
    ),
    update(
        "adam-one-moment-corrected",
        "Adam's bias correction of the first moment alone",
        edit("Adam.update", "math.sqrt(1 - beta2**step)", "1"),
    ),
    update(
        "clipped-by-norm",
        "gradients clipped by each parameter's norm, not by value",
        edit(CLIP, CUT, f"parameter.grad *= min(1, {BOUND})"),
        home="activity-rnn-truncated-clipped",
    ),
    update(
        "clipped-by-norm-of-all",
        "gradients clipped by the norm of all, not by value",
        edit(
            CLIP,
            "for parameter in parameters:",
            "parameters = list(parameters)\n"
            "    norm = np.sqrt(sum((parameter.grad**2).sum() for parameter in parameters))\n"
            "    for parameter in parameters:",
            CUT,
            "parameter.grad *= min(1, clip_value / (norm + 1e-6))",
        ),
        home="activity-rnn-truncated-clipped",
    ),
)
