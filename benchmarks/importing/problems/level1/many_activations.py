"""Activations one after the other, each on its own."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size, features = 2048, 65536


class Model(nn.Module):
    def forward(self, x):
        smooth = F.leaky_relu(x, 0.2) + torch.tanh(x) + F.selu(x) + F.elu(x, alpha=0.7) + F.softplus(x)
        flat = F.hardsigmoid(x) + F.softsign(x) + F.hardtanh(x, -2.0, 1.5) + F.relu6(x) + F.celu(x, 0.5)
        return smooth * flat


def get_inputs():
    return [torch.randn(batch_size, features)]


def get_init_inputs():
    return []
