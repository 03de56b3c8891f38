"""Layers of normalisation, ReLU and convolution, each on all that the ones before have found."""

import torch
from torch import nn

batch_size, side = 4, 24


class Model(nn.Module):
    def __init__(self, inward, growth, layers):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(inward + number * growth),
                nn.ReLU(inplace=True),
                nn.Conv2d(inward + number * growth, growth, kernel_size=3, padding=1, bias=False),
                nn.Dropout(0.0),
            )
            for number in range(layers)
        )

    def forward(self, x):
        found = [x]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return torch.cat(found, 1)


def get_inputs():
    return [torch.rand(batch_size, 8, side, side)]


def get_init_inputs():
    return [8, 4, 3]
