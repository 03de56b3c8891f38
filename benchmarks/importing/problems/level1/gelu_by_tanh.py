"""GELU by its formula with tanh."""

import math

import torch
from torch import nn

batch_size, features = 8192, 8192


class Model(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


def get_inputs():
    return [torch.rand(batch_size, features)]


def get_init_inputs():
    return []
