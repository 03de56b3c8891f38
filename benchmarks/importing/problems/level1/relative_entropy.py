"""Kullback-Leibler divergence of two distributions a row."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size, classes = 8192, 4096


class Model(nn.Module):
    def forward(self, predictions, targets):
        return F.kl_div(torch.log(predictions), targets, reduction="batchmean")


def get_inputs():
    return [torch.rand(batch_size, classes).softmax(dim=-1), torch.rand(batch_size, classes).softmax(dim=-1)]


def get_init_inputs():
    return []
