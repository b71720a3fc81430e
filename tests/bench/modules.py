"""The nets of the comparisons as PyTorch modules, layer for layer what their specs say."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import pad, relu


def mlp(*sizes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def vgg() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8192, 256), nn.ReLU(), nn.Linear(256, 10),
    )  # fmt: skip


class Plain(nn.Module):
    """Two 3x3 convolutions beside option A's way past them: every second row and column, and zeros
    for the channels that are missing, half of them in front. He et al. 2015, section 4.2."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.missing = stride, after - before

    def forward(self, x: Tensor) -> Tensor:
        past = x
        if self.missing:
            half = self.missing // 2
            past = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))
        y = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(y)) + past)


def resnet20() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    ]  # fmt: skip
    before = 16
    for after in (16, 32, 64):
        for _ in range(3):
            layers.append(Plain(before, after, 1 if before == after else 2))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
