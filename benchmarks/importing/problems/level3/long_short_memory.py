"""An LSTM over sequences, and a linear layer on its last step."""

import torch
from torch import nn

batch_size, length, input_size, hidden_size, output_size = 8, 12, 16, 24, 10


class Model(nn.Module):
    def __init__(self, inward, hidden, outward):
        super().__init__()
        self.lstm = nn.LSTM(inward, hidden, batch_first=True)
        self.last = nn.Linear(hidden, outward)

    def forward(self, x, h, c):
        y, _ = self.lstm(x, (h, c))
        return self.last(y[:, -1, :])


def get_inputs():
    return [
        torch.rand(batch_size, length, input_size),
        torch.rand(1, batch_size, hidden_size),
        torch.rand(1, batch_size, hidden_size),
    ]


def get_init_inputs():
    return [input_size, hidden_size, output_size]
