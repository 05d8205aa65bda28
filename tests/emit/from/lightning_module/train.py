"""A LightningModule that is the network, and a Trainer."""

import lightning as L
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LitClassifier(L.LightningModule):
    def __init__(self, hidden_dim=12, learning_rate=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.l1 = nn.Linear(16, hidden_dim)
        self.l2 = nn.Linear(hidden_dim, 3)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        return self.l2(torch.relu(self.l1(x)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        loss = F.cross_entropy(y_hat, y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.learning_rate)


def cli_main():
    L.seed_everything(1234)

    x = torch.randn(160, 4, 4)
    y = x.sum((1, 2)).div(4).clamp(-1, 1).round().long() + 1
    train_loader = DataLoader(TensorDataset(x[:120], y[:120]), batch_size=32, shuffle=True)
    val_loader = DataLoader(TensorDataset(x[120:], y[120:]), batch_size=32)

    model = LitClassifier(hidden_dim=8)
    trainer = L.Trainer(max_epochs=3, accelerator="auto")
    trainer.fit(model, train_loader, val_loader)


if __name__ == "__main__":
    cli_main()
