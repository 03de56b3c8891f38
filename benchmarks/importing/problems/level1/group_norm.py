"""Group normalisation, eight groups."""

import torch
from torch import nn

batch_size, channels, groups, side = 64, 32, 8, 128


class Model(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.rand(batch_size, channels, side, side)]


def get_init_inputs():
    return [channels, groups]
