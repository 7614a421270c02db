"""A net whose arrays are kept otherwise than it computes with them: by other names, in other orders and forms."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np


class Form:
    """An exact map between a net's own arrays and those that are kept: entry for entry, with a sign.

    `store` makes the one dict of the other by moving entries; it is run once over their numbers from 1.
    """

    def __init__(self, own, store):
        ends = np.cumsum([0, *(np.size(value) for value in own.values())])
        self.shapes = {name: np.shape(value) for name, value in own.items()}
        self.spans = dict(zip(own, pairwise(ends), strict=True))
        numbers = {name: 1.0 + np.arange(*self.spans[name]).reshape(self.shapes[name]) for name in own}
        self.places = {name: np.array(value) for name, value in store(numbers).items()}
        taken = np.sort(np.concatenate([abs(place).ravel() for place in self.places.values()]))
        assert np.array_equal(taken, 1 + np.arange(ends[-1])), "each entry is kept once"

    def kept(self, own):
        """The net's own arrays, or their gradients, as they are kept."""
        flat = np.concatenate([np.ravel(own[name]) for name in self.shapes])
        return {name: np.sign(place).astype(flat.dtype) * flat[entries(place)] for name, place in self.places.items()}

    def own(self, kept):
        """What is kept, as the net has it."""
        flat = np.empty(sum(place.size for place in self.places.values()), np.result_type(*kept.values()))
        for name, place in self.places.items():
            flat[entries(place)] = np.sign(place) * kept[name]
        return {name: flat[slice(*self.spans[name])].reshape(shape) for name, shape in self.shapes.items()}


def entries(place):
    return abs(place).astype(int) - 1


class Stored:
    """A net that is called as before, by `once`, or by `forward` and `backward`, with `kept` as its parameters.

    `slots` say where each of its own arrays stands, (holder, key); `read` takes what a call gave, and gives the answers
    in it and the gradients of the net's own arrays by name, or None where there are none.
    """

    def __init__(self, net, slots, store, read, step=None):
        self.net, self.slots, self.read, self.train = net, slots, read, step
        own = {name: get(*slot) for name, slot in slots.items()}
        self.form = Form(own, store)
        self.kept = self.form.kept(own)
        self.grads = {}

    def load(self):
        for name, value in self.form.own(self.kept).items():
            put(*self.slots[name], value)

    def once(self, *data):
        self.load()
        answers, grads = self.read(self.net(*data))
        return answers if grads is None else (*answers, self.form.kept(grads))

    def forward(self, x):
        self.load()
        return self.net[0](x)

    def backward(self, dout):
        dx = self.net[1](dout)
        _, grads = self.read(dx)
        self.grads = self.form.kept(grads)
        return dx

    def step(self, *data):
        self.load()
        self.train(*data)
        trained = self.form.kept({name: get(*slot) for name, slot in self.slots.items()})
        for name, value in trained.items():
            self.kept[name][...] = value


def get(holder, key):
    return holder[key] if isinstance(holder, Mapping | list) else getattr(holder, key)


def put(holder, key, value):
    if isinstance(holder, Mapping | list):
        holder[key] = value
    else:
        setattr(holder, key, value)
