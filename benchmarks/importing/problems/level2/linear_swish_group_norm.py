"""A linear layer, swish with a bias, group normalisation."""

import torch
from torch import nn

batch_size, in_features, out_features, num_groups = 4096, 512, 1024, 64


class Model(nn.Module):
    def __init__(self, inward, outward, groups):
        super().__init__()
        self.linear = nn.Linear(inward, outward)
        self.bias = nn.Parameter(torch.randn(outward))
        self.norm = nn.GroupNorm(groups, outward)

    def forward(self, x):
        x = self.linear(x)
        return self.norm(torch.sigmoid(x) * x + self.bias)


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, num_groups]
