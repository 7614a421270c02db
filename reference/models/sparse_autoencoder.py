"""Image patches through a narrow hidden layer whose units are seldom active: the pair `sparse-autoencoder`."""

import torch
from torch import Tensor, nn


class SparseAutoencoder(nn.Module):
    """Pixels (N, pixels) -> (N, pixels + hidden): the reconstruction and, for the loss, the hidden activations."""

    def __init__(self, pixels: int = 256, hidden: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Linear(pixels, hidden)
        self.sigmoid1 = nn.Sigmoid()
        self.decoder = nn.Linear(hidden, pixels)
        self.sigmoid2 = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.sigmoid1(self.encoder(x))
        return torch.cat([self.sigmoid2(self.decoder(hidden)), hidden], dim=1)
