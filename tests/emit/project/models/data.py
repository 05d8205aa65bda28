"""Sources of data that a spec can name."""

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

X = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
Y = 2 * X[:, 0] + 1


def arrays():
    return X.numpy(), Y.numpy()


def three():
    return X, Y, Y


def needs_a_path(path):
    return path


class Pairs(Dataset):
    def __len__(self):
        return 60

    def __getitem__(self, number):
        return X[number], Y[number]


def loader():
    return DataLoader(Pairs(), batch_size=7, shuffle=True)


class Named(Pairs):
    def __getitem__(self, number):
        return {"price": Y[number], "size": X[number]}


class Nested(Pairs):
    def __getitem__(self, number):
        return {"size": X[number], "other": 0}, float(Y[number])


class Ragged(Pairs):
    def __getitem__(self, number):
        return X[number, : number + 1], Y[number]


class Empty(Pairs):
    def __len__(self):
        return 0


class Failing(Pairs):
    def __getitem__(self, number):
        raise OSError(f"no image {number}")


class Stream(IterableDataset):
    def __iter__(self):
        yield X[0], Y[0]


class Parts:
    """What Lightning calls a data module."""

    def prepare_data(self):
        self.parts = {}

    def setup(self, stage):
        numbers = {"fit": range(40), "test": range(40, 60)}[stage]
        self.parts[stage] = Subset(Pairs(), numbers)

    def train_dataloader(self):
        return DataLoader(self.parts["fit"], batch_size=8, shuffle=True, drop_last=True)

    def val_dataloader(self):
        return DataLoader(self.parts["test"], batch_size=8)

    def test_dataloader(self):
        return DataLoader(self.parts["test"], batch_size=8, collate_fn=reversed_rows)


class ManyLoaders(Parts):
    def train_dataloader(self):
        return [super().train_dataloader()]


def reversed_rows(rows):
    return torch.utils.data.default_collate(rows[::-1])
