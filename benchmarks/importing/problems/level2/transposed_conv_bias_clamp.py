"""Transposed convolution, bias, limits, a scale and limits again."""

import torch
from torch import nn

batch_size, side = 16, 64


class Model(nn.Module):
    def __init__(self, inward, outward, window, stride, padding, output_padding, scale):
        super().__init__()
        self.conv = nn.ConvTranspose2d(
            inward, outward, window, stride=stride, padding=padding, output_padding=output_padding
        )
        self.bias = nn.Parameter(torch.randn(outward, 1, 1))
        self.scale = scale

    def forward(self, x):
        x = torch.clamp(self.conv(x) + self.bias, min=0.0, max=1.0)
        return torch.clamp(x * self.scale, min=0.0, max=1.0) / self.scale


def get_inputs():
    return [torch.rand(batch_size, 16, side, side)]


def get_init_inputs():
    return [16, 32, 3, 2, 1, 1, 2.0]
