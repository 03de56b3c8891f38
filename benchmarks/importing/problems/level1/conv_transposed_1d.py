"""A transposed convolution of sequences, dilated."""

import torch
from torch import nn

batch_size, length = 16, 65536


class Model(nn.Module):
    def __init__(self, inward, outward, window, stride, padding, dilation):
        super().__init__()
        self.conv = nn.ConvTranspose1d(
            inward, outward, window, stride=stride, padding=padding, dilation=dilation
        )

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.rand(batch_size, 32, length)]


def get_init_inputs():
    return [32, 48, 5, 2, 2, 3]
