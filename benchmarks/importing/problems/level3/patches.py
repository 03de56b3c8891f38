"""Patches of an image, embedded, with a token for the class and places, and a linear layer on that token."""

import torch
from torch import nn

batch_size, side, patch, channels, width, num_classes = 4, 32, 8, 3, 48, 10


class Model(nn.Module):
    def __init__(self, side, patch, channels, width, classes):
        super().__init__()
        count = (side // patch) ** 2
        self.patch = patch
        self.embed = nn.Linear(channels * patch * patch, width)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, count + 1, width))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        p = self.patch
        x = x.unfold(2, p, p).unfold(3, p, p).reshape(x.shape[0], -1, p * p * x.shape[1])
        x = self.embed(x)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), dim=1) + self.places
        return self.head(self.norm(x)[:, 0])


def get_inputs():
    return [torch.rand(batch_size, channels, side, side)]


def get_init_inputs():
    return [side, patch, channels, width, num_classes]
