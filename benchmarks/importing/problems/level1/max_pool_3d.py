"""Max pooling of volumes."""

import torch
from torch import nn

batch_size, channels, side = 8, 16, 96


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool3d(3, stride=2, padding=1)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.rand(batch_size, channels, side, side, side)]


def get_init_inputs():
    return []
