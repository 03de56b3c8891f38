"""A convolution of volumes."""

import torch
from torch import nn

batch_size, depth, height, width = 4, 32, 64, 48


class Model(nn.Module):
    def __init__(self, inward, outward, window):
        super().__init__()
        self.conv = nn.Conv3d(inward, outward, window)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.rand(batch_size, 3, depth, height, width)]


def get_init_inputs():
    return [3, 32, (3, 5, 2)]
