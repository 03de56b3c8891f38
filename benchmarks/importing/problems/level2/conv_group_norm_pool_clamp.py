"""Convolution, group normalisation, a scale, max pooling, limits."""

import torch
from torch import nn

batch_size, side = 16, 96


class Model(nn.Module):
    def __init__(self, inward, outward, window, groups, pool, low, high):
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, window)
        self.norm = nn.GroupNorm(groups, outward)
        self.scale = nn.Parameter(torch.ones(outward, 1, 1))
        self.pool = nn.MaxPool2d(kernel_size=pool)
        self.low, self.high = low, high

    def forward(self, x):
        x = self.pool(self.norm(self.conv(x)) * self.scale)
        return torch.clamp(x, self.low, self.high)


def get_inputs():
    return [torch.rand(batch_size, 8, side, side)]


def get_init_inputs():
    return [8, 32, 3, 8, 4, 0.0, 1.0]
