"""A linear layer, a scale, and itself added."""

import torch
from torch import nn

batch_size, in_features, out_features = 4096, 1024, 1024


class Model(nn.Module):
    def __init__(self, inward, outward, factor):
        super().__init__()
        self.linear = nn.Linear(inward, outward)
        self.factor = factor

    def forward(self, x):
        x = self.linear(x)
        before = x.clone().detach()
        return x * self.factor + before


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, 0.5]
