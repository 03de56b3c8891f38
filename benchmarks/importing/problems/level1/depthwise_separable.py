"""A depthwise convolution and a pointwise one."""

import torch
from torch import nn

batch_size, side = 8, 192


class Model(nn.Module):
    def __init__(self, inward, outward, window):
        super().__init__()
        self.depthwise = nn.Conv2d(inward, inward, window, padding=1, groups=inward, bias=False)
        self.pointwise = nn.Conv2d(inward, outward, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


def get_inputs():
    return [torch.rand(batch_size, 24, side, side)]


def get_init_inputs():
    return [24, 48, 3]
