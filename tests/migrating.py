"""A repository to migrate: ``python tests/migrating.py FOLDERS FILES`` writes it where it is run.

Each of the folders below ``src`` has so many files, of one class or two. One file of each builds on
the class that all share, one is of layers that cannot be random yet, one trains.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDERS = "vision text audio video tables graphs series control retrieval ranking".split()

SHARED = """\
from torch import nn


class Head(nn.Module):
    def __init__(self, width, outputs):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, outputs)

    def forward(self, x):
        return self.out(self.norm(x))
"""
PLAIN = """\
import torch
from torch import nn


class {name}(nn.Module):
    def __init__(self, features={size}, width=8):
        super().__init__()
        self.first = nn.Linear(features, width)
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))
"""
ON_SHARED = """\
import torch
from torch import nn

from src.shared.head import Head


class {name}(nn.Module):
    def __init__(self, features={size}, width=8):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, width), nn.ReLU())
        self.head = Head(width, 2)

    def forward(self, x):
        return self.head(self.body(x))
"""
LAZY = """\
from torch import nn


class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.LazyLinear(8)

    def forward(self, x):
        return self.first(x)
"""


def lay_out(root: Path, folders: int, files: int) -> None:
    """Write the repository, ``shared`` beside so many folders of so many files."""
    _write(root / "src/shared/head.py", SHARED)
    for folder in FOLDERS[:folders]:
        for number in range(files):
            form = {1: ON_SHARED, 2: LAZY}.get(number, PLAIN)
            text = form.format(name=f"{folder.title()}{number:02}", size=3 + number % 5)
            _write(root / f"src/{folder}/net{number:02}.py", text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    lay_out(Path(), int(sys.argv[1]), int(sys.argv[2]))
