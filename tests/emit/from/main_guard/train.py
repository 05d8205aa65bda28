"""The loop is in the guard; the network ends in a sigmoid."""

import random

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

from nets.mlp import Discriminator


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def make_moons(n):
    angle = np.random.rand(n) * np.pi
    label = np.random.randint(0, 2, n)
    x = np.stack([np.cos(angle) + label, np.sin(angle) * (1 - 2 * label)], 1)
    return x + 0.1 * np.random.randn(n, 2), label


if __name__ == "__main__":
    set_seed(42)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    X, y = make_moons(120)
    X = torch.tensor(X, dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.float32)
    loader = DataLoader(TensorDataset(X, y), batch_size=24, shuffle=True)

    net = Discriminator(in_dim=X.shape[-1])
    net = net.to(device)
    bce = nn.BCELoss()
    opt = torch.optim.Adam(net.parameters(), 3e-3)
    num_epochs = 30
    for epoch in range(num_epochs):
        for xb, yb in loader:
            xb = xb.to(device)
            yb = yb.to(device)
            opt.zero_grad()
            probs = net(xb)
            loss = bce(probs.view(-1), yb)
            loss.backward()
            opt.step()
        print(f"{epoch}: {loss.item():.4f}")
    torch.save(net.state_dict(), "net.pt")
