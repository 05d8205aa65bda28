"""A network within a LightningModule, a data module, counts with rates on the log scale."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from net import Counter


class CountData(pl.LightningDataModule):
    def __init__(self, batch_size=20):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(100, 3, generator=generator)
        y = torch.poisson((0.5 * x[:, 0]).exp(), generator=generator)
        self.train, self.val = TensorDataset(x[:80], y[:80]), TensorDataset(x[80:], y[80:])

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, batch_size=self.batch_size)


class Regression(pl.LightningModule):
    def __init__(self, net, lr):
        super().__init__()
        self.net = net
        self.lr = lr
        self.loss = nn.PoissonNLLLoss(log_input=True)

    def shared_step(self, batch):
        x, y = batch
        return self.loss(self.net(x), y)

    def training_step(self, batch, batch_idx):
        loss = self.shared_step(batch)
        return {"loss": loss}

    def validation_step(self, batch, batch_idx):
        self.log("val", self.shared_step(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), lr=self.lr)


if __name__ == "__main__":
    net = Counter(width=6)
    module = Regression(net, lr=2e-3)
    trainer = pl.Trainer(max_epochs=4)
    trainer.fit(module, datamodule=CountData())
