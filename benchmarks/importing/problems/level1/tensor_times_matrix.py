"""A tensor of four axes times a matrix, along the last of them."""

import torch
from torch import nn

b, i, j, m, k = 8, 128, 256, 512, 384


class Model(nn.Module):
    def forward(self, x, w):
        return torch.einsum("bijm,mk->bijk", x, w)


def get_inputs():
    return [torch.rand(b, i, j, m), torch.rand(m, k)]


def get_init_inputs():
    return []
