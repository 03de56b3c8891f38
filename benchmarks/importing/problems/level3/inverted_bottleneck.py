"""Expansion, depthwise convolution, squeeze and excitation, projection, a residual; in evaluation."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size, side = 8, 32


class Model(nn.Module):
    def __init__(self, channels, expanded, squeezed):
        super().__init__()
        self.expand = nn.Conv2d(channels, expanded, 1, bias=False)
        self.norm = nn.BatchNorm2d(expanded)
        self.depthwise = nn.Conv2d(expanded, expanded, 3, padding=1, groups=expanded, bias=False)
        self.down = nn.Conv2d(expanded, squeezed, 1)
        self.up = nn.Conv2d(squeezed, expanded, 1)
        self.project = nn.Conv2d(expanded, channels, 1, bias=False)
        self.eval()

    def forward(self, x):
        y = F.silu(self.norm(self.expand(x)))
        y = F.silu(self.depthwise(y))
        gate = F.adaptive_avg_pool2d(y, 1)
        gate = torch.sigmoid(self.up(F.silu(self.down(gate))))
        return x + self.project(y * gate)


def get_inputs():
    return [torch.rand(batch_size, 8, side, side)]


def get_init_inputs():
    return [8, 24, 4]
