"""The diabetes data that come with scikit-learn: 442 patients, 10 measurements each."""

import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split


def load(seed: int = 0, test_size: float = 0.25):
    """Return ``(x_train, x_test, y_train, y_test)`` as float tensors, in the original units."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    parts = train_test_split(x, y[:, None], test_size=test_size, random_state=seed)
    return [torch.tensor(part, dtype=torch.float32) for part in parts]


def standardize(train, *others):
    """Scale all tensors by the mean and standard deviation of the first one."""
    mean, std = train.mean(0), train.std(0)
    return [(part - mean) / std for part in (train, *others)]
