# Everything at the top of one file, all rows at once.
import math

import torch
import torch.nn as nn

torch.manual_seed(0)

N, D_in, H = 60, 1, 16
X = torch.linspace(-2, 2, N).unsqueeze(1)
Y = torch.sin(math.pi * X) + 0.1 * torch.randn(N, 1)
x_train, y_train = X[:48], Y[:48]
x_test, y_test = X[48:], Y[48:]


class Regressor(nn.Module):
    def __init__(self, d_in, hidden):
        super().__init__()
        self.linear1 = nn.Linear(d_in, hidden)
        self.linear2 = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.linear2(torch.tanh(self.linear1(x)))


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.zeros_(m.bias)


model = Regressor(D_in, H)
model.apply(init_weights)

learning_rate = 1e-2
optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate)

for t in range(500):
    y_pred = model(x_train)
    loss = (y_pred - y_train).pow(2).mean()
    if t % 100 == 99:
        print(t, loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print("test", (model(x_test) - y_test).pow(2).mean().item())
