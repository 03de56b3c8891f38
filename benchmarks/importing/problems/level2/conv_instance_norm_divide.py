"""Convolution, instance normalisation, a division."""

import torch
from torch import nn

batch_size, side = 16, 96


class Model(nn.Module):
    def __init__(self, inward, outward, window, divisor):
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, window)
        self.norm = nn.InstanceNorm2d(outward)
        self.divisor = divisor

    def forward(self, x):
        return self.norm(self.conv(x)) / self.divisor


def get_inputs():
    return [torch.rand(batch_size, 16, side, side)]


def get_init_inputs():
    return [16, 32, 3, 2.0]
