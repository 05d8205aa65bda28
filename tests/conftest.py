"""What every test shares: one thread for torch, and small projects laid out on disk."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

os.environ["OMP_NUM_THREADS"] = "1"
for name in ("NO_COLOR", "PRE_COMMIT"):
    os.environ.pop(name, None)

LayOut = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def lay_out(tmp_path: Path) -> LayOut:
    """Writes files (text with \\n, or bytes) below the test's folder, which it returns."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write
