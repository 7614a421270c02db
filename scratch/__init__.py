"""Neural networks in NumPy alone: every forward pass with its backward pass written by hand beside it."""

from twofold.scratch.layers.activations import Flatten, LeakyReLU, ReLU, Sigmoid, Tanh
from twofold.scratch.layers.conv import Conv2d
from twofold.scratch.layers.dropout import Dropout
from twofold.scratch.layers.embedding import Embedding
from twofold.scratch.layers.linear import Linear
from twofold.scratch.layers.loops import LoopConv2d, LoopMaxPool2d
from twofold.scratch.layers.norm import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm
from twofold.scratch.layers.pooling import MaxPool2d
from twofold.scratch.layers.recurrent import GRU, LSTM, RNN, ResetFirstGRU, SigmoidRNN
from twofold.scratch.losses import (
    CrossEntropyLoss,
    HalfMSELoss,
    L2Penalty,
    MSELoss,
    MultiClassHingeLoss,
    SoftmaxBCELoss,
    SparseAutoencoderLoss,
)
from twofold.scratch.module import Buffer, Module, Parameter, Sequential
from twofold.scratch.optim import SGD, Adagrad, Adam, RMSprop, clip_grad_value_

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adagrad",
    "Adam",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "HalfMSELoss",
    "L2Penalty",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LoopConv2d",
    "LoopMaxPool2d",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "MultiClassHingeLoss",
    "Parameter",
    "RMSprop",
    "ReLU",
    "ResetFirstGRU",
    "Sequential",
    "Sigmoid",
    "SigmoidRNN",
    "SoftmaxBCELoss",
    "SparseAutoencoderLoss",
    "Tanh",
    "clip_grad_value_",
]
