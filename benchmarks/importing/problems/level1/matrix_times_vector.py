"""A wide matrix times a vector that is given as a column."""

import torch
from torch import nn

m, k = 1024, 262144


class Model(nn.Module):
    def forward(self, a, x):
        return torch.matmul(a, x)


def get_inputs():
    return [torch.rand(m, k), torch.rand(k, 1)]


def get_init_inputs():
    return []
