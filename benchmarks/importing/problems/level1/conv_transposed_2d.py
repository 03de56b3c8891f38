"""A transposed convolution in groups, with stride, padding and dilation."""

import torch
from torch import nn

batch_size, height, width = 8, 96, 160


class Model(nn.Module):
    def __init__(self, inward, outward, window, stride, padding, groups, dilation):
        super().__init__()
        self.conv = nn.ConvTranspose2d(
            inward,
            outward,
            window,
            stride=stride,
            padding=padding,
            groups=groups,
            dilation=dilation,
            bias=False,
        )

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.rand(batch_size, 16, height, width)]


def get_init_inputs():
    return [16, 32, (3, 5), (2, 3), (1, 2), 4, (2, 1)]
