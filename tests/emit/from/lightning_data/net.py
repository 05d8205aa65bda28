from torch import nn


class Counter(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(3, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(self.fc(x).tanh()).squeeze(-1)
