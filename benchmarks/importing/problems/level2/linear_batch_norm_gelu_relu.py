"""A linear layer, batch normalisation of features, GELU, ReLU."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size, in_features, out_features = 2048, 1024, 2048


class Model(nn.Module):
    def __init__(self, inward, outward):
        super().__init__()
        self.linear = nn.Linear(inward, outward)
        self.norm = nn.BatchNorm1d(outward)

    def forward(self, x):
        return torch.relu(F.gelu(self.norm(self.linear(x))))


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features]
