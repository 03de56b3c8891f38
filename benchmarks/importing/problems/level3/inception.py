"""Four branches of convolutions and pooling, side by side."""

import torch
from torch import nn

batch_size, side = 8, 48


class Model(nn.Module):
    def __init__(self, inward, one, reduced, three, five, pooled):
        super().__init__()
        self.one = nn.Conv2d(inward, one, 1)
        self.three = nn.Sequential(nn.Conv2d(inward, reduced, 1), nn.Conv2d(reduced, three, 3, padding=1))
        self.five = nn.Sequential(nn.Conv2d(inward, reduced, 1), nn.Conv2d(reduced, five, 5, padding=2))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(inward, pooled, 1))

    def forward(self, x):
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


def get_inputs():
    return [torch.rand(batch_size, 12, side, side)]


def get_init_inputs():
    return [12, 8, 6, 10, 4, 5]
