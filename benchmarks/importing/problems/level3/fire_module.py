"""A squeezing convolution, and two that expand, side by side."""

import torch
from torch import nn

batch_size, side = 16, 64


class Model(nn.Module):
    def __init__(self, inward, squeezed, narrow, wide):
        super().__init__()
        self.squeeze = nn.Conv2d(inward, squeezed, 1)
        self.narrow = nn.Conv2d(squeezed, narrow, 1)
        self.wide = nn.Conv2d(squeezed, wide, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.squeeze(x))
        return torch.cat([self.relu(self.narrow(x)), self.relu(self.wide(x))], 1)


def get_inputs():
    return [torch.rand(batch_size, 3, side, side)]


def get_init_inputs():
    return [3, 6, 24, 32]
