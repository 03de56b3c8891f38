"""A linear layer, average pooling of its features, GELU, a scale, the largest."""

import torch
from torch import nn

batch_size, in_features, out_features = 1024, 2048, 2048


class Model(nn.Module):
    def __init__(self, inward, outward, pool, scale):
        super().__init__()
        self.linear = nn.Linear(inward, outward)
        self.pool = nn.AvgPool1d(pool)
        self.scale = scale

    def forward(self, x):
        x = self.pool(self.linear(x).unsqueeze(1)).squeeze(1)
        x = torch.nn.functional.gelu(x) * self.scale
        return torch.max(x, dim=1).values


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, 16, 2.0]
