"""A data module of Lightning, which takes seconds to import."""

import lightning
from torch.utils.data import DataLoader

from models.data import Pairs


class Module(lightning.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(Pairs(), batch_size=8)
