"""A layer of PyTorch's own encoder for transformers, batch first."""

import torch
from torch import nn

batch_size, length, width, heads, inner = 3, 10, 24, 3, 48


class Model(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(width, heads, inner, dropout=0.0, batch_first=True)

    def forward(self, x):
        return self.layer(x)


def get_inputs():
    return [torch.rand(batch_size, length, width)]


def get_init_inputs():
    return [width, heads, inner]
