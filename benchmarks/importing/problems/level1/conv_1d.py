"""A strided and dilated convolution of sequences."""

import torch
from torch import nn

batch_size, length = 32, 131072


class Model(nn.Module):
    def __init__(self, inward, outward, window, stride, dilation):
        super().__init__()
        self.conv = nn.Conv1d(inward, outward, window, stride=stride, dilation=dilation, bias=False)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.rand(batch_size, 48, length)]


def get_init_inputs():
    return [48, 96, 3, 3, 4]
