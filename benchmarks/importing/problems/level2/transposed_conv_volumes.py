"""Transposed convolution of volumes, a sum, layer normalisation, pooling, GELU."""

import torch
from torch import nn

batch_size, depth, height, width = 4, 8, 16, 16


class Model(nn.Module):
    def __init__(self, inward, outward, extra, shape, pool):
        super().__init__()
        self.conv = nn.ConvTranspose3d(inward, outward, 3, stride=2, padding=1, output_padding=1)
        self.extra = nn.Parameter(torch.tensor(extra))
        self.norm = nn.LayerNorm(shape)
        self.pool = nn.AvgPool3d(pool)
        self.gelu = nn.GELU()

    def forward(self, x):
        return self.gelu(self.pool(self.norm(self.conv(x) + self.extra)))


def get_inputs():
    return [torch.rand(batch_size, 8, depth, height, width)]


def get_init_inputs():
    return [8, 16, 1.0, (32,), (2, 2, 2)]
