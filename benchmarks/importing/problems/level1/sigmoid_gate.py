"""x times its sigmoid, as one writes it oneself."""

import torch
from torch import nn

batch_size, features = 4096, 131072


class Model(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


def get_inputs():
    return [torch.rand(batch_size, features) * 2 - 1]


def get_init_inputs():
    return []
