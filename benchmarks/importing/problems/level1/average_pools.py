"""Average pooling in two ways: padding counts, or it does not."""

import torch
from torch import nn

batch_size, channels, side = 16, 32, 256


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.whole = nn.AvgPool2d(3, stride=2, padding=1)
        self.inside = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)

    def forward(self, x):
        return self.whole(x) - 0.5 * self.inside(x)


def get_inputs():
    return [torch.rand(batch_size, channels, side, side)]


def get_init_inputs():
    return []
