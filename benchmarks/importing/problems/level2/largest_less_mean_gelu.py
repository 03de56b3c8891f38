"""The largest of a row less its own mean, which is always 0, and GELU of it: nothing is left to compute."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size, in_features, out_features = 1024, 2048, 2048


class Model(nn.Module):
    def __init__(self, inward, outward):
        super().__init__()
        self.linear = nn.Linear(inward, outward)

    def forward(self, x):
        x = torch.max(self.linear(x), dim=1, keepdim=True).values
        return F.gelu(x - x.mean(dim=1, keepdim=True))


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features]
