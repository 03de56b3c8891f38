"""Layer normalisation, attention, layer normalisation, two linear layers with GELU, residuals."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size, length, width, heads = 8, 128, 64, 4


class Model(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.joined, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.joined(self.first(x)).chunk(3, dim=-1)
        q, k, v = (one.view(b, t, self.heads, c // self.heads).transpose(1, 2) for one in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(b, t, c))
        return x + self.narrow(F.gelu(self.wide(self.second(x))))


def get_inputs():
    return [torch.rand(batch_size, length, width)]


def get_init_inputs():
    return [width, heads]
