"""Max pooling of sequences, with padding and dilation."""

import torch
from torch import nn

batch_size, features, length = 32, 96, 65536


class Model(nn.Module):
    def __init__(self, window, stride, padding, dilation):
        super().__init__()
        self.pool = nn.MaxPool1d(window, stride=stride, padding=padding, dilation=dilation)

    def forward(self, x):
        return self.pool(x)


def get_inputs():
    return [torch.rand(batch_size, features, length)]


def get_init_inputs():
    return [6, 2, 3, 2]
