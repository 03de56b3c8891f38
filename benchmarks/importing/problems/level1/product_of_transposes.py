"""Product of two matrices, both of which come transposed."""

import torch
from torch import nn

rows, inner, cols = 2048, 8192, 4096


class Model(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a.T, b.T)


def get_inputs():
    return [torch.rand(inner, rows), torch.rand(cols, inner)]


def get_init_inputs():
    return []
