"""A linear layer, dropout, softmax."""

import torch
from torch import nn

batch_size, in_features, out_features = 256, 2048, 2048


class Model(nn.Module):
    def __init__(self, inward, outward, share):
        super().__init__()
        self.linear = nn.Linear(inward, outward)
        self.dropout = nn.Dropout(share)

    def forward(self, x):
        return torch.softmax(self.dropout(self.linear(x)), dim=1)


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, 0.2]
