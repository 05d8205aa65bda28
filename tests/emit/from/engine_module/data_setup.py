import torch
from torch.utils.data import DataLoader, TensorDataset


def create_dataloaders(batch_size, num_workers=0):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(150, 6, generator=generator)
    y = (x[:, :3].sum(1) > 0).long() + (x[:, 0] > 1).long()
    train = TensorDataset(x[:100], y[:100])
    test = TensorDataset(x[100:], y[100:])
    return (
        DataLoader(train, batch_size=batch_size, shuffle=True, num_workers=num_workers),
        DataLoader(test, batch_size=batch_size, num_workers=num_workers),
        ["low", "middle", "high"],
    )
