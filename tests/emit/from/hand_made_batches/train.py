"""Batches cut by hand from arrays in a shuffled order; the network gives mean and variance."""

import torch
import torch.nn as nn
import torch.optim as optim


class MeanVariance(nn.Module):
    def __init__(self, n_inputs, n_hidden=10):
        super().__init__()
        self.hidden = nn.Linear(n_inputs, n_hidden)
        self.mean = nn.Linear(n_hidden, 1)
        self.var = nn.Linear(n_hidden, 1)

    def forward(self, x):
        h = torch.relu(self.hidden(x))
        return self.mean(h), nn.functional.softplus(self.var(h)) + 1e-4


def load_data(n=130):
    torch.manual_seed(7)
    x = torch.randn(n, 2)
    y = x[:, :1] + 0.3 * x[:, 1:].abs() * torch.randn(n, 1)
    return x, y


def main():
    x, y = load_data()
    n_train = int(len(x) * 0.8)
    x_train, y_train = x[:n_train], y[:n_train]
    batch_size = 26
    net = MeanVariance(x.shape[1])
    criterion = nn.GaussianNLLLoss()
    optimizer = optim.Adam(net.parameters())
    for epoch in range(25):
        permutation = torch.randperm(n_train)
        for i in range(0, n_train, batch_size):
            indices = permutation[i : i + batch_size]
            batch_x, batch_y = x_train[indices], y_train[indices]
            optimizer.zero_grad()
            mean, var = net(batch_x)
            loss = criterion(mean, batch_y, var)
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
