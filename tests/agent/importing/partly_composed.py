"""A module of which the composer writes a part: what comes first has no kernel of its own."""

from __future__ import annotations

ODD = """\
import torch
from torch import nn


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(4, 8)

    def forward(self, x):
        power = torch.fft.rfft(x, dim=-1).abs()[..., :4]
        return torch.relu(self.up(power))
"""
