# Everything below the guard, in double precision; the optimiser calls a closure.
import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(1, 5)
        self.linear = nn.Linear(5, 1)

    def forward(self, series):
        hidden = torch.zeros(series.size(0), 5, dtype=torch.double)
        state = torch.zeros(series.size(0), 5, dtype=torch.double)
        outputs = []
        for each in series.split(1, dim=1):
            hidden, state = self.cell(each, (hidden, state))
            outputs.append(self.linear(hidden))
        return torch.cat(outputs, dim=1)


def begin_small(layer):
    if isinstance(layer, nn.Linear):
        nn.init.uniform_(layer.weight, -0.01, 0.01)


if __name__ == "__main__":
    torch.manual_seed(0)
    starts = torch.randint(-20, 20, (14, 1))
    waves = torch.sin((starts + torch.arange(9)).double() / 3)
    series, following = waves[:, :-1], waves[:, 1:]
    seq = Sequence()
    seq.double()
    seq.apply(begin_small)
    criterion = nn.MSELoss()
    optimizer = optim.LBFGS(seq.parameters(), lr=0.8)
    for step in range(15):

        def closure():
            optimizer.zero_grad()
            loss = criterion(seq(series), following)
            loss.backward()
            return loss

        optimizer.step(closure)
