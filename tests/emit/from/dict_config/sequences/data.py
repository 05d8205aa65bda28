import torch
from torch.utils.data import Dataset


class Waves(Dataset):
    """Windows of a sine and the value that follows each."""

    def __init__(self, length, window):
        self.wave = torch.sin(torch.arange(length) / 3.0)
        self.window = window

    def __len__(self):
        return len(self.wave) - self.window

    def __getitem__(self, index):
        end = index + self.window
        return self.wave[index:end], self.wave[end]
