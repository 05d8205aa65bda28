"""What network and data read of the file is set only where the file is run."""

import torch
from torch import nn, optim


def make_batch():
    inputs, targets = [], []
    for sentence in sentences:
        *start, last = sentence.split()
        inputs.append([number[word] for word in start])
        targets.append(number[last])
    return inputs, targets


class Next(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(n_words, width)
        self.cell = nn.RNN(width, width)
        self.out = nn.Linear(width, n_words)

    def forward(self, state, words):
        found, _ = self.cell(self.embed(words).transpose(0, 1), state.transpose(0, 1))
        return self.out(found[n_steps - 1])


if __name__ == "__main__":
    n_steps = 2
    width = 5

    sentences = ["i like dogs", "i hate milk", "you like milk", "you hate dogs"]
    words = sorted(set(" ".join(sentences).split()))
    number = {word: i for i, word in enumerate(words)}
    n_words = len(number)

    net = Next()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(net.parameters(), lr=0.01)

    inputs, targets = make_batch()
    inputs = torch.LongTensor(inputs)
    targets = torch.LongTensor(targets)

    for epoch in range(50):
        optimizer.zero_grad()
        state = torch.zeros(len(inputs), 1, width)
        loss = criterion(net(state, inputs), targets)
        loss.backward()
        optimizer.step()
