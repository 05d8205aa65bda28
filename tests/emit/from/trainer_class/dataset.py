import torch
from torch.utils.data import Dataset


class Pairs(Dataset):
    def __init__(self, size, seed):
        generator = torch.Generator().manual_seed(seed)
        self.rows = torch.randn(size, 2, 5, generator=generator)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        left, right = self.rows[index]
        return {"left": left, "right": right, "label": bool((left * right).sum() > 0)}
