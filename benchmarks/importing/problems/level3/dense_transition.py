"""Batch normalisation, ReLU, a pointwise convolution, average pooling."""

import torch
from torch import nn

batch_size, side = 16, 64


class Model(nn.Module):
    def __init__(self, inward, outward):
        super().__init__()
        self.transition = nn.Sequential(
            nn.BatchNorm2d(inward),
            nn.ReLU(inplace=True),
            nn.Conv2d(inward, outward, 1, bias=False),
            nn.AvgPool2d(2, stride=2),
        )

    def forward(self, x):
        return self.transition(x)


def get_inputs():
    return [torch.rand(batch_size, 32, side, side)]


def get_init_inputs():
    return [32, 16]
