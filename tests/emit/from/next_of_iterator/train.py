# A trainer that takes the next batch of an iterator; the network computes its loss itself.
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, words, width=8):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.head = nn.Linear(width, words)

    def forward(self, tokens, targets=None):
        logits = self.head(self.embed(tokens))
        loss = None
        if targets is not None:
            loss = nn.functional.cross_entropy(
                logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1
            )
        return logits, loss


class Trainer:
    def __init__(self, model, dataset, steps=40, lr=3e-3):
        self.model = model
        self.dataset = dataset
        self.steps = steps
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)

    def run(self):
        loader = DataLoader(self.dataset, shuffle=True, batch_size=8)
        batches = iter(loader)
        for step in range(self.steps):
            try:
                batch = next(batches)
            except StopIteration:
                batches = iter(loader)
                batch = next(batches)
            x, y = [t.long() for t in batch]
            logits, self.loss = self.model(x, y)
            self.model.zero_grad(set_to_none=True)
            self.loss.backward()
            self.optimizer.step()


if __name__ == "__main__":
    torch.manual_seed(3)
    text = torch.randint(0, 5, (40, 9))
    following = text[:, 1:].clone()
    following[:, :2] = -1
    Trainer(Net(5), TensorDataset(text[:, :-1], following)).run()
