"""Two convolutions with pooling, three linear layers."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size, num_classes = 512, 10


class Model(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.first = nn.Conv2d(1, 6, 5)
        self.second = nn.Conv2d(6, 12, 5)
        self.hidden = nn.Linear(12 * 4 * 4, 84)
        self.last = nn.Linear(84, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        x = F.max_pool2d(F.relu(self.second(x)), 2)
        x = torch.flatten(x, 1)
        return self.last(F.relu(self.hidden(x)))


def get_inputs():
    return [torch.rand(batch_size, 1, 28, 28)]


def get_init_inputs():
    return [num_classes]
