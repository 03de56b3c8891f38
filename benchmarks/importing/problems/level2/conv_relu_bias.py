"""Convolution, ReLU, and a bias of its own."""

import torch
from torch import nn

batch_size, side = 32, 96


class Model(nn.Module):
    def __init__(self, inward, outward, window, bias_shape):
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, window)
        self.bias = nn.Parameter(torch.randn(bias_shape))

    def forward(self, x):
        return torch.relu(self.conv(x)) + self.bias


def get_inputs():
    return [torch.rand(batch_size, 24, side, side)]


def get_init_inputs():
    return [24, 48, 3, (48, 1, 1)]
