"""Multi-head attention with a mask that is a buffer, as small language models have it."""

import math

import torch
import torch.nn.functional as F
from torch import nn

batch_size, length, width, heads, longest = 16, 256, 192, 6, 512


class Model(nn.Module):
    def __init__(self, width, heads, longest):
        super().__init__()
        self.joined = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.drop = nn.Dropout(0.1)
        self.register_buffer("seen", torch.tril(torch.ones(longest, longest)).view(1, 1, longest, longest))
        self.heads, self.width = heads, width

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.joined(x).split(self.width, dim=2)
        q = q.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        k = k.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        v = v.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        scores = scores.masked_fill(self.seen[:, :, :t, :t] == 0, float("-inf"))
        y = self.drop(F.softmax(scores, dim=-1)) @ v
        return self.project(y.transpose(1, 2).contiguous().view(b, t, c))


def get_inputs():
    return [torch.rand(batch_size, length, width)]


def get_init_inputs():
    return [width, heads, longest]
