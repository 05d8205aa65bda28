import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)


def smoothness(output):
    return output.diff(dim=0).abs().mean()


def main():
    x = torch.randn(40, 3)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(10):
        for inputs, targets in DataLoader(TensorDataset(x, x[:, :1]), batch_size=8):
            output = net(inputs)
            fit = nn.functional.mse_loss(output, targets)
            loss = fit + 0.1 * smoothness(output)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
