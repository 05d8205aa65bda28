"""A dictionary of settings; the script is in a folder beside the package; output is a tuple."""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(__file__), ".."))

import torch
from torch.utils.data import DataLoader, Subset

from sequences.data import Waves
from sequences.model import Forecaster

config = {
    "window": 8,
    "data": {"length": 100, "batch_size": 16},
    "model": {"hidden_size": 6, "num_layers": 1},
    "lr": 1e-2,
    "epochs": 12,
}


def main(config):
    dataset = Waves(config["data"]["length"], config["window"])
    split = int(0.8 * len(dataset))
    train = DataLoader(
        Subset(dataset, range(split)), batch_size=config["data"]["batch_size"], shuffle=True
    )
    valid = DataLoader(Subset(dataset, range(split, len(dataset))), batch_size=64)

    model = Forecaster(**config["model"])
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    loss_function = torch.nn.L1Loss()

    for epoch in range(config["epochs"]):
        model.train()
        for x, y in train:
            optimizer.zero_grad()
            prediction, _ = model(x.unsqueeze(-1))
            loss = loss_function(prediction[:, -1, 0], y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for x, y in valid:
                prediction, _ = model(x.unsqueeze(-1))
                error = loss_function(prediction[:, -1, 0], y)
        print(epoch, error)


if __name__ == "__main__":
    main(config)
