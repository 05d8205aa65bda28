"""A Trainer that keeps everything."""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader

from dataset import Pairs
from network import Siamese


class Trainer:
    def __init__(self, args):
        self.args = args
        self.device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
        self.epochs = args.epochs
        self._build_loaders()
        self.model = Siamese(args.dim).to(self.device)
        if args.multi_gpu:
            self.model = nn.DataParallel(self.model)
        self.criterion = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=args.lr, momentum=0.9)
        self.best = None

    def _build_loaders(self):
        train_set = Pairs(self.args.size, seed=0)
        test_set = Pairs(30, seed=1)
        self.train_loader = DataLoader(train_set, self.args.batch, shuffle=True)
        self.test_loader = DataLoader(test_set, self.args.batch)

    def train(self):
        for epoch in range(self.epochs):
            self.train_epoch(epoch)
            self.evaluate()

    def train_epoch(self, epoch):
        self.model.train()
        for step, batch in enumerate(self.train_loader):
            left = batch["left"].to(self.device)
            right = batch["right"].to(self.device)
            label = batch["label"].float().to(self.device)
            logits = self.model(left, right)
            loss = self.criterion(logits.squeeze(1), label)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        correct = 0
        for batch in self.test_loader:
            logits = self.model(batch["left"].to(self.device), batch["right"].to(self.device))
            correct += ((logits.squeeze(1) > 0).cpu() == batch["label"]).sum().item()
        print(correct)


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=80)
    parser.add_argument("--dim", type=int, default=6)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--multi-gpu", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    trainer = Trainer(parse_args())
    trainer.train()
