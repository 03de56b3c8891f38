"""Convolution of volumes, softmax over channels, two max poolings."""

import torch
from torch import nn

batch_size, depth, side = 16, 16, 32


class Model(nn.Module):
    def __init__(self, inward, outward, window, pool):
        super().__init__()
        self.conv = nn.Conv3d(inward, outward, window)
        self.first = nn.MaxPool3d(pool)
        self.second = nn.MaxPool3d(pool)

    def forward(self, x):
        return self.second(self.first(torch.softmax(self.conv(x), dim=1)))


def get_inputs():
    return [torch.rand(batch_size, 3, depth, side, side)]


def get_init_inputs():
    return [3, 16, 3, 2]
