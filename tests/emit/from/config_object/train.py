"""Settings in an object of another file; everything else at the top of the script."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from tqdm import tqdm

from config import cfg
from model import build_model

np.random.seed(3)
torch.manual_seed(3)
x = np.random.randn(90, cfg.n_features).astype("float32")
y = (np.sin(x[:, 0]) + 0.1 * np.random.randn(90)).astype("float32")
mean, std = x.mean(0), x.std(0)
x = (x - mean) / std

dataset = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
train_set, val_set = random_split(dataset, [70, 20])
train_loader = DataLoader(train_set, batch_size=cfg.batch_size, shuffle=True, drop_last=True)
val_loader = DataLoader(val_set, batch_size=cfg.batch_size)

model = build_model(cfg)
model.to(cfg.device)
criterion = nn.MSELoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.lr, weight_decay=1e-4)

for epoch in range(cfg.epochs):
    model.train()
    running = 0.0
    for inputs, targets in tqdm(train_loader, desc=f"epoch {epoch}"):
        inputs = inputs.to(cfg.device)
        targets = targets.to(cfg.device)
        preds = model(inputs).squeeze()
        loss = criterion(preds, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    model.eval()
    with torch.no_grad():
        losses = []
        for inputs, targets in val_loader:
            preds = model(inputs.to(cfg.device)).squeeze()
            losses.append(criterion(preds, targets.to(cfg.device)).item())
    print(epoch, running, sum(losses) / len(losses))
