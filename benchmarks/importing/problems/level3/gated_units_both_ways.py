"""A GRU of two layers in both directions: its outputs and last states."""

import torch
from torch import nn

batch_size, length, input_size, hidden_size = 4, 8, 12, 16


class Model(nn.Module):
    def __init__(self, inward, hidden):
        super().__init__()
        self.gru = nn.GRU(inward, hidden, num_layers=2, bidirectional=True)

    def forward(self, x):
        return self.gru(x)


def get_inputs():
    return [torch.rand(length, batch_size, input_size)]


def get_init_inputs():
    return [input_size, hidden_size]
