"""Layers that torch.nn does not have."""

import math

import torch
import torch.nn as nn


class Rescale(nn.Module):
    """Divide every feature by a learned length scale, as an ARD kernel does."""

    def __init__(self, num_features):
        super().__init__()
        self.lengthscale = nn.Parameter(torch.ones(num_features))  # must stay positive

    def forward(self, x):
        return x / self.lengthscale


class PairwiseInteractions(nn.Module):
    """Factorization machine: the sum of all products of two features, at low rank.

    Input ``(batch, num_features)``, output ``(batch, 1)``.
    """

    def __init__(self, num_features, rank=4, bias=True):
        super().__init__()
        self.num_features = num_features
        self.rank = rank
        self.factors = nn.Parameter(torch.empty(num_features, rank))
        if bias:
            self.bias = nn.Parameter(torch.zeros(1))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.normal_(self.factors, std=1 / math.sqrt(self.num_features * self.rank))

    def forward(self, x):
        square_of_sum = (x @ self.factors).pow(2)
        sum_of_squares = x.pow(2) @ self.factors.pow(2)
        out = 0.5 * (square_of_sum - sum_of_squares).sum(-1, keepdim=True)
        return out if self.bias is None else out + self.bias
