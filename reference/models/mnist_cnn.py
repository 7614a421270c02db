"""Two convolutions, a pool and two linear layers for images of digits: the pair `mnist-cnn`."""

from torch import Tensor, nn


class MnistCNN(nn.Module):
    """Images (N, 1, H, W) -> logits (N, classes)."""

    def __init__(
        self,
        filters: tuple[int, int] = (8, 8),
        image: tuple[int, int] = (28, 28),
        hidden: int = 128,
        classes: int = 10,
        kernel: int = 5,
        stride: int = 1,
        pool: int = 2,
    ) -> None:
        super().__init__()

        def convolved(side: int) -> int:
            return (side - kernel) // stride + 1

        self.conv1 = nn.Conv2d(1, filters[0], kernel, stride)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(filters[0], filters[1], kernel, stride)
        self.relu2 = nn.ReLU()
        self.pool = nn.MaxPool2d(pool)
        self.flatten = nn.Flatten()
        height, width = (convolved(convolved(side)) // pool for side in image)
        self.fc1 = nn.Linear(filters[1] * height * width, hidden)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.conv1(x))
        x = self.relu2(self.conv2(x))
        x = self.flatten(self.pool(x))
        x = self.relu3(self.fc1(x))
        return self.fc2(x)
