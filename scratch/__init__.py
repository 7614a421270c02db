"""Neural networks in NumPy alone: every forward pass with its backward pass written by hand beside it."""

from scratch.layers.activations import Flatten, ReLU, Sigmoid, Tanh
from scratch.layers.conv import Conv2d
from scratch.layers.embedding import Embedding
from scratch.layers.linear import Linear
from scratch.layers.loops import LoopConv2d, LoopMaxPool2d
from scratch.layers.pooling import MaxPool2d
from scratch.layers.recurrent import LSTM
from scratch.losses import CrossEntropyLoss, HalfMSELoss, MSELoss
from scratch.module import Buffer, Module, Parameter, Sequential
from scratch.optim import SGD, Adam

__all__ = [
    "LSTM",
    "SGD",
    "Adam",
    "Buffer",
    "Conv2d",
    "CrossEntropyLoss",
    "Embedding",
    "Flatten",
    "HalfMSELoss",
    "Linear",
    "LoopConv2d",
    "LoopMaxPool2d",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
]
