"""A tensor of four axes times a matrix, along the last of them."""

import torch
from torch import nn

b, i, j, l, k = 8, 128, 256, 512, 384


class Model(nn.Module):
    def forward(self, x, w):
        return torch.einsum("bijl,lk->bijk", x, w)


def get_inputs():
    return [torch.rand(b, i, j, l), torch.rand(l, k)]


def get_init_inputs():
    return []
