"""Running sums from the end, and those that leave out the element itself."""

import torch
from torch import nn

rows, cols = 8192, 4096


class Model(nn.Module):
    def forward(self, x):
        backwards = torch.cumsum(x.flip(1), dim=1).flip(1)
        before = torch.cat((torch.zeros_like(x.select(1, 0).unsqueeze(1)), x), dim=1)[:, :-1].cumsum(dim=1)
        return backwards + before


def get_inputs():
    return [torch.randn(rows, cols)]


def get_init_inputs():
    return []
