# One sentence in one batch; the network makes rows of its positions, as the labels are.
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, letters=5, width=5):
        super().__init__()
        self.rnn = nn.RNN(input_size=letters, hidden_size=width, batch_first=True)
        self.letters = letters

    def forward(self, x):
        out, _ = self.rnn(x)
        return out.view(-1, self.letters)


letters = torch.eye(5)
inputs = letters[torch.tensor([[0, 1, 0, 2, 3, 3]])]
labels = torch.tensor([1, 0, 2, 3, 3, 4])
net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
for epoch in range(10):
    outputs = net(inputs)
    optimizer.zero_grad()
    loss = criterion(outputs, labels)
    loss.backward()
    optimizer.step()
