"""Layer normalisation over three axes."""

import torch
from torch import nn

batch_size, features, side = 16, 32, 96


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.norm = nn.LayerNorm(normalized_shape=shape)

    def forward(self, x):
        return self.norm(x)


def get_inputs():
    return [torch.rand(batch_size, features, side, side)]


def get_init_inputs():
    return [(features, side, side)]
