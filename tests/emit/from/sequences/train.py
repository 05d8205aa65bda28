# Options at the top, batches by number, one class for each position of a sequence.
import argparse
from os import path

import torch
import torch.nn as nn
import torch.optim as optim

from lab.model import Tagger

try:
    from tqdm import tqdm
except ImportError:
    pass

WORDS = path.join(path.dirname(__file__), "lab", "words.txt")

parser = argparse.ArgumentParser()
parser.add_argument("--batch_size", type=int, default=8)
parser.add_argument("--clip", type=float, default=-1, help="-1: gradients are not clipped")
parser.add_argument("--epochs", type=int, default=9)
parser.add_argument("--optim", type=str, default="RMSprop")
parser.add_argument("--lr", type=float, default=5e-4)
args = parser.parse_args()

torch.manual_seed(1)
words = open(WORDS).read().split()
n_classes = len(words)
n_train = 24
train_x = torch.randint(0, n_classes, (n_train, 6)).float()
train_y = train_x.roll(1, dims=1).long()

model = Tagger(n_classes)
criterion = nn.CrossEntropyLoss()
optimizer = getattr(optim, args.optim)(model.parameters(), lr=args.lr)


def train():
    model.train()
    for start in range(0, n_train, args.batch_size):
        x = train_x[start : start + args.batch_size]
        y = train_y[start : start + args.batch_size]
        optimizer.zero_grad()
        out = model(x.unsqueeze(1).contiguous())
        loss = criterion(out.view(-1, n_classes), y.view(-1))
        if args.clip > 0:
            nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        loss.backward()
        optimizer.step()


for epoch in tqdm(range(1, args.epochs + 1)):
    train()
