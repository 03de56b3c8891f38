"""A matrix times a number."""

import torch
from torch import nn

m, n = 16384, 4096


class Model(nn.Module):
    def forward(self, a, s: float):
        return a * s


def get_inputs():
    return [torch.rand(m, n), 2.71]


def get_init_inputs():
    return []
