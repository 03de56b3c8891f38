"""Huber's loss by PyTorch's name for it."""

import torch
import torch.nn.functional as F
from torch import nn

rows, cols = 16384, 4096


class Model(nn.Module):
    def forward(self, predictions, targets):
        return F.smooth_l1_loss(predictions, targets)


def get_inputs():
    return [torch.randn(rows, cols), torch.randn(rows, cols)]


def get_init_inputs():
    return []
