"""A transposed convolution of volumes, with output padding."""

import torch
from torch import nn

batch_size, side = 4, 24


class Model(nn.Module):
    def __init__(self, inward, outward, window):
        super().__init__()
        self.conv = nn.ConvTranspose3d(inward, outward, window, stride=2, padding=1, output_padding=1)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.rand(batch_size, 16, side, side, side)]


def get_init_inputs():
    return [16, 24, 3]
