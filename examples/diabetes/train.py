"""Train the network the ordinary way: one set of weights, least squares.

python train.py [--epochs 300] [--out model.pt]
"""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from progression import data
from progression.models import ProgressionNet


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="model.pt")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x_train, x_test, y_train, y_test = data.load(args.seed)
    y_unit = y_train.std()
    x_train, x_test = data.standardize(x_train, x_test)
    y_train, y_test = data.standardize(y_train, y_test)

    model = ProgressionNet(x_train.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    loader = DataLoader(TensorDataset(x_train, y_train), args.batch_size, shuffle=True)
    for epoch in range(1, args.epochs + 1):
        model.train()
        total = 0.0
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        if epoch % 100 == 0:
            print(f"epoch {epoch}  train mse {total / len(x_train):.3f}")

    model.eval()
    with torch.no_grad():
        rmse = (model(x_test) - y_test).pow(2).mean().sqrt()
    print(f"test rmse {rmse:.3f} standard deviations = {rmse * y_unit:.1f} in the original units")
    torch.save(model.state_dict(), args.out)
    print(f"saved {args.out}")


if __name__ == "__main__":
    main()
