"""A product for each of a batch."""

import torch
from torch import nn

batch_size, m, k, n = 128, 512, 1024, 256


class Model(nn.Module):
    def forward(self, a, b):
        return torch.bmm(a, b)


def get_inputs():
    return [torch.randn(batch_size, m, k), torch.randn(batch_size, k, n)]


def get_init_inputs():
    return []
