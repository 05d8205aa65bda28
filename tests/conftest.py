"""What every test shares: one thread for torch, and small projects laid out on disk."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

from pyroify.cli import main

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["PYROIFY_NO_CACHE"] = "1"  # what a test is about is found out in it
for name in ("NO_COLOR", "PRE_COMMIT"):
    os.environ.pop(name, None)
settings.register_profile(
    "slow machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("slow machine")
# In the background, as nohup starts it, the signal would be ignored by what the tests start, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup() -> None:
    """Every test draws the same numbers each time, whichever ran before it."""
    random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


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


def lock_of_all(root: Path, files: Sequence[str]) -> bytes:
    """A lock by which pyroify wrote all the declarations of some files."""
    from pyroify.lock import Entry, render_lock
    from pyroify.program import build_index
    from pyroify.program.ownership import written_in

    entries = [
        Entry(file.path, item.cls, item.site, item.digest)
        for file in build_index(root, files).files
        for item in written_in(file)
    ]
    return render_lock(set(entries)).encode()


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Runs the command line in this process, in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def call(*args: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main(args)
        out, err = capfdbinary.readouterr()
        return Ended(int(ended.value.code or 0), out.decode(), err.decode())

    return call


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children of verifications are forks of one process, which has imported torch and Pyro."""
    import warm

    from pyroify.verify import session

    started = SimpleNamespace(Popen=warm.start, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(session, "subprocess", started)
