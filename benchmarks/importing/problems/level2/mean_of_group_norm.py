"""Convolution of volumes, group normalisation, the mean of all that: it cancels to nearly nothing."""

import torch
from torch import nn

batch_size, depth, side = 16, 16, 32


class Model(nn.Module):
    def __init__(self, inward, outward, window, groups):
        super().__init__()
        self.conv = nn.Conv3d(inward, outward, window)
        self.norm = nn.GroupNorm(groups, outward, affine=False)

    def forward(self, x):
        return self.norm(self.conv(x)).mean(dim=[1, 2, 3, 4])


def get_inputs():
    return [torch.rand(batch_size, 3, depth, side, side)]


def get_init_inputs():
    return [3, 24, 3, 8]
