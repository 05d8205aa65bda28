"""Emitted scripts for tests: the smallest svi section, and every family's own."""

import contextlib
import importlib.util
import io
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from tqdm import tqdm

from pyroify.emit import Emitted, emit_script
from pyroify.emit.runtime import runtime_files

# tqdm's own lock is shared with forked processes: one that is killed while it holds it would leave
# every progress bar of this process waiting for ever.
tqdm.set_lock(threading.RLock())
tqdm.monitor_interval = 0

CASES = Path(__file__).parent / "emit"
PROJECT = CASES / "project"
BASE: dict[str, Any] = {
    "model": {
        "class": "models.networks:MLP",
        "kwargs": {"in_size": 3, "hidden": 4, "out_size": 1},
    },
    "data": {"source": "synthetic", "batch_size": 32},
    "epochs": 2,
}


def svi(**changes: Any) -> dict[str, Any]:
    """The smallest section, with whole keys replaced."""
    return {**BASE, **changes}


def emit(**changes: Any) -> Emitted:
    return emit_script(svi(**changes), spec_name="pyroify.yaml", spec_text="version: 1\n")


def read_case(kind: str, name: str) -> dict[str, Any]:
    """The keys of a family's fixture; its data settings add to the smallest section's."""
    case = yaml.safe_load((CASES / kind / f"{name}.yaml").read_text())
    return {**case, "data": {**BASE["data"], **case.get("data", {})}}


def case_names(kind: str) -> list[str]:
    return sorted(path.stem for path in (CASES / kind).glob("*.yaml"))


def lay_out_project(folder: Path) -> None:
    """The networks that scripts train, and what the scripts share."""
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    for name, text in runtime_files().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def load_module(path: Path) -> ModuleType:
    """The script as a module of this process, under a name of its own.

    What it shares with others is found in it too.
    """
    spec = importlib.util.spec_from_file_location(f"emitted_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for file in runtime_files():
        shared = sys.modules.get(file.removesuffix(".py").replace("/", "."))
        for name, value in vars(shared).items() if shared else ():
            if getattr(value, "__module__", None) == shared.__name__:
                vars(module).setdefault(name, value)
    if noise := sys.modules.get("svi_runtime.inference.noise"):
        vars(noise)["STEPS"] = 20  # any beginning will do; test_training_noise.py holds it to more
    return module


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def run_main(module: ModuleType, *flags: str) -> Ran:
    """What ``python script.py FLAGS`` would do, in this process, and with few draws.

    Flags that say how many win.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = module.main(["--samples=20", *flags])
    return Ran(code, out.getvalue(), err.getvalue())


def fork(run: Callable[[], int], said: Path = Path(os.devnull)) -> int:
    """The id of a process that ends with what ``run`` gives; importing torch anew takes seconds.

    What it says goes to ``said``. One that hangs dies of SIGALRM, before the test that waits for
    it is given up.
    """
    process = os.fork()
    if process:
        return process
    signal.alarm(400)
    code = 1
    with said.open("w") as stream:
        sys.stdout = sys.stderr = stream
        try:
            code = run()
        except BaseException:  # never back into pytest
            traceback.print_exc()
    os._exit(code)


def is_running(process: int) -> bool:
    """Whether a forked process has not ended yet; it can be waited for afterwards all the same."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
