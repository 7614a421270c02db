"""Gradients that show only in a step: momentum, Adam, a schedule, clipping; an object full of other state."""

import numpy as np
import torch
from torch import nn


class Regressor:
    """Keeps caches, velocities, moments and a running mean of its loss among its attributes."""

    def __init__(self, rng, lr=0.05, rule="momentum"):
        self.w1, self.b1 = 0.5 * rng.standard_normal((3, 4)), np.zeros(4)
        self.w2, self.b2 = 0.5 * rng.standard_normal((4, 2)), np.zeros(2)
        self.lr, self.rule, self.t = lr, rule, 0
        self.velocity = {k: np.zeros_like(getattr(self, k)) for k in ("w1", "b1", "w2", "b2")}
        self.square = {k: np.zeros_like(v) for k, v in self.velocity.items()}
        self.running_loss = np.zeros(1)
        self.hidden = np.zeros((6, 4))

    def predict(self, x):
        self.hidden = np.tanh(x @ self.w1 + self.b1)
        return self.hidden @ self.w2 + self.b2

    def gradients(self, x, y):
        e = self.predict(x) - y
        self.running_loss = 0.9 * self.running_loss + 0.1 * np.mean(e**2)
        d = 2 * e / e.size
        dz = d @ self.w2.T * (1 - self.hidden**2)
        return {"w1": x.T @ dz, "b1": dz.sum(axis=0), "w2": self.hidden.T @ d, "b2": d.sum(axis=0)}

    def train(self, x, y):
        self.t += 1
        lr = self.lr
        grads = self.gradients(x, y)
        if self.rule == "clip":
            norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
            grads = {k: g * min(1.0, 0.1 / (norm + 1e-6)) for k, g in grads.items()}
        if self.rule == "schedule":
            lr = self.lr * 0.5 ** ((self.t - 1) // 4)
        for k, g in grads.items():
            if self.rule == "adam":
                self.velocity[k] = 0.9 * self.velocity[k] + 0.1 * g
                self.square[k] = 0.999 * self.square[k] + 0.001 * g * g
                m, v = self.velocity[k] / (1 - 0.9**self.t), self.square[k] / (1 - 0.999**self.t)
                setattr(self, k, getattr(self, k) - lr * m / (np.sqrt(v) + 1e-8))
            elif self.rule == "momentum":
                self.velocity[k] = 0.9 * self.velocity[k] - lr * g
                setattr(self, k, getattr(self, k) + self.velocity[k])
            else:
                getattr(self, k)[...] -= lr * g


def start(rule):
    rng = np.random.default_rng(71)
    torch.manual_seed(71)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    data = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    return Regressor(rng, rule=rule), net, data


def call_momentum():
    model, net, data = start("momentum")
    keywords = {"optimizer": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), "step": model.train}
    return model.predict, net, data, keywords | {"loss": nn.MSELoss()}


def call_adam():
    model, net, data = start("adam")
    keywords = {"optimizer": lambda p: torch.optim.Adam(p, lr=0.05), "step": model.train, "params": model}
    return model.predict, net, data, keywords | {"loss": nn.MSELoss()}


def call_plain():
    model, net, data = start("plain")
    keywords = {"optimizer": lambda p: torch.optim.SGD(p, lr=0.05), "step": model.train}
    return (lambda x, y: model.predict(x)), net, data, keywords | {"loss": nn.MSELoss(), "params": model}


def call_clip():
    model, net, data = start("clip")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)

    def reference_step(x, y):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()

    keywords = {"reference_step": reference_step, "step": model.train}
    return model.gradients, net, data, keywords | {"loss": nn.MSELoss()}


def call_schedule():
    model, net, data = start("schedule")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.5)

    def reference_step(x, y):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
        scheduler.step()

    keywords = {"reference_step": reference_step, "step": model.train}
    return model.predict, net, data, keywords | {"loss": nn.MSELoss()}
