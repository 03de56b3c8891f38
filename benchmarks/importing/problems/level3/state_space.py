"""A state space layer as products with a mask of decays, chunk by chunk no more: one chunk."""

import torch
from torch import nn

batch_size, length, heads, width, state = 4, 32, 4, 16, 8


class Model(nn.Module):
    def __init__(self, length, heads, state):
        super().__init__()
        self.decay = nn.Parameter(torch.randn(batch_size, length, heads))
        self.b = nn.Parameter(torch.randn(batch_size, length, heads, state))
        self.c = nn.Parameter(torch.randn(batch_size, length, heads, state))

    def forward(self, x):
        steps = torch.cumsum(-torch.nn.functional.softplus(self.decay), dim=1).permute(0, 2, 1)
        between = steps[:, :, :, None] - steps[:, :, None, :]
        seen = torch.tril(torch.ones(x.size(1), x.size(1), dtype=torch.bool))
        decays = torch.exp(between.masked_fill(~seen, float("-inf")))
        scores = torch.einsum("blhn,bshn->bhls", self.c, self.b) * decays
        return torch.einsum("bhls,bshp->blhp", scores, x)


def get_inputs():
    return [torch.rand(batch_size, length, heads, width)]


def get_init_inputs():
    return [length, heads, state]
