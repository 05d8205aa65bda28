# LightningCLI builds the network and its data, and fits the one to the other.
from os import path

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

FOLDER = path.dirname(__file__)
HAS_BARS = True

if HAS_BARS:
    from tqdm import tqdm


class Net(LightningModule):
    def __init__(self, width: int = 6, rate: float = 2e-3):
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, x):
        return self.layers(x)

    def training_step(self, batch, number):
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.rate)


class Blobs(LightningDataModule):
    def __init__(self, batch_size: int = 16):
        super().__init__()
        self.batch_size = batch_size
        kinds = torch.arange(96) % 3
        rows = torch.randn(96, 4) + torch.stack([row.sum() for row in tqdm(kinds)]).unsqueeze(1)
        parts = random_split(TensorDataset(rows, kinds), [72, 24])
        self.train_rows, self.test_rows = parts

    def train_dataloader(self):
        return DataLoader(self.train_rows, batch_size=self.batch_size, shuffle=True)

    def test_dataloader(self):
        return DataLoader(self.test_rows, batch_size=self.batch_size)


def main():
    cli = LightningCLI(Net, Blobs, run=False)
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    cli.trainer.test(datamodule=cli.datamodule)


if __name__ == "__main__":
    main()
