import torch


def train_step(model, dataloader, loss_fn, optimizer, device):
    model.train()
    train_loss = 0
    for batch, (X, y) in enumerate(dataloader):
        X, y = X.to(device), y.to(device)
        y_pred = model(X)
        loss = loss_fn(y_pred, y)
        train_loss += loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return train_loss / len(dataloader)


def test_step(model, dataloader, loss_fn, device):
    model.eval()
    test_loss = 0
    with torch.inference_mode():
        for batch, (X, y) in enumerate(dataloader):
            X, y = X.to(device), y.to(device)
            test_pred_logits = model(X)
            test_loss += loss_fn(test_pred_logits, y).item()
    return test_loss / len(dataloader)


def train(model, train_dataloader, test_dataloader, optimizer, loss_fn, epochs, device):
    results = {"train_loss": [], "test_loss": []}
    for epoch in range(epochs):
        results["train_loss"].append(
            train_step(model, train_dataloader, loss_fn, optimizer, device)
        )
        results["test_loss"].append(test_step(model, test_dataloader, loss_fn, device))
    return results
