"""A linear layer, less a number, times a number, ReLU."""

import torch
from torch import nn

batch_size, in_features, out_features = 1024, 4096, 2048


class Model(nn.Module):
    def __init__(self, inward, outward, less, factor):
        super().__init__()
        self.linear = nn.Linear(inward, outward)
        self.less, self.factor = less, factor

    def forward(self, x):
        return torch.relu((self.linear(x) - self.less) * self.factor)


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, 2.0, 1.5]
