"""Sum, mean, largest and least over one axis."""

import torch
from torch import nn

batch_size, height, width = 64, 2048, 2047


class Model(nn.Module):
    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def forward(self, x):
        return (
            torch.sum(x, self.axis),
            torch.mean(x, self.axis),
            torch.max(x, self.axis)[0],
            torch.min(x, self.axis).values,
        )


def get_inputs():
    return [torch.rand(batch_size, height, width)]


def get_init_inputs():
    return [1]
