"""Attention by cosines within windows, with a learnt scale, and a bias from distances through two linear layers."""

import math

import torch
import torch.nn.functional as F
from torch import nn

batch_size, side, width, window, heads = 2, 8, 16, 4, 2


class Model(nn.Module):
    def __init__(self, width, window, heads):
        super().__init__()
        self.window, self.heads = window, heads
        self.scale = nn.Parameter(torch.log(10 * torch.ones(heads, 1, 1)))
        self.bias = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, heads, bias=False))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        b, h, w, c = x.shape
        s, n = self.window, self.heads
        windows = x.view(b, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, c)
        q, k, v = self.qkv(windows).view(-1, s * s, 3, n, c // n).permute(2, 0, 3, 1, 4)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        scores = scores * torch.clamp(self.scale, max=math.log(100.0)).exp()
        at = torch.stack(torch.meshgrid(torch.arange(s), torch.arange(s), indexing="ij")).flatten(1)
        apart = (at[:, :, None] - at[:, None, :]).permute(1, 2, 0).float() * (8 / (s - 1))
        apart = torch.sign(apart) * torch.log2(torch.abs(apart) + 1.0) / math.log2(8)
        scores = scores + 16 * torch.sigmoid(self.bias(apart).permute(2, 0, 1))
        found = (torch.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(-1, s * s, c)
        found = self.out(found).view(b, h // s, w // s, s, s, c).permute(0, 1, 3, 2, 4, 5)
        return found.reshape(b, h, w, c)


def get_inputs():
    return [torch.rand(batch_size, side, side, width)]


def get_init_inputs():
    return [width, window, heads]
