"""Convolution, and Mish twice."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size, side = 16, 128


class Model(nn.Module):
    def __init__(self, inward, outward, window):
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, window)

    def forward(self, x):
        return F.mish(F.mish(self.conv(x)))


def get_inputs():
    return [torch.rand(batch_size, 16, side, side)]


def get_init_inputs():
    return [16, 32, 3]
