"""Three linear layers with ReLU between them."""

import torch
from torch import nn

batch_size, in_features, out_features = 128, 2048, 1024
hidden_features = [1536, 768]


class Model(nn.Module):
    def __init__(self, inward, hidden, outward):
        super().__init__()
        layers = []
        for size in hidden:
            layers += [nn.Linear(inward, size), nn.ReLU(inplace=True)]
            inward = size
        layers.append(nn.Linear(inward, outward))
        self.network = nn.Sequential(*layers)

    def forward(self, x):
        return self.network(x)


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, hidden_features, out_features]
