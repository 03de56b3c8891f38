"""A convolution with a window of unequal sides, dilated and padded."""

import torch
from torch import nn

batch_size, side = 8, 256


class Model(nn.Module):
    def __init__(self, inward, outward, window, padding, dilation):
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, window, padding=padding, dilation=dilation, bias=False)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.rand(batch_size, 24, side, side)]


def get_init_inputs():
    return [24, 48, (5, 3), (2, 1), (2, 3)]
