"""Convolution, batch normalisation in training, a scale."""

import torch
from torch import nn

batch_size, side = 32, 48


class Model(nn.Module):
    def __init__(self, inward, outward, window, scale):
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, window)
        self.norm = nn.BatchNorm2d(outward)
        self.scale = scale

    def forward(self, x):
        return self.norm(self.conv(x)) * self.scale


def get_inputs():
    return [torch.rand(batch_size, 8, side, side)]


def get_init_inputs():
    return [8, 32, 3, 2.0]
