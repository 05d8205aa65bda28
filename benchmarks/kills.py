"""Kills runs at random moments, fills their disk, and lets two run at once: is anything lost?

``python -m benchmarks.kills -n 200 --seed 0``. Each attempt lays out a project, rewrites it once
undisturbed, then disturbs a second rewrite or an undo at one of its steps: whatever Python tells of
(files opened, renamed, removed, ...) counts as one. Afterwards every file must be whole, the next
command must make all files of the run new or all old, and `undo` must lead back, run by run, to
the first bytes and modes.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pyroify.publish import Change, PublishError, is_interrupted, publish, recover
from pyroify.undo import NOTHING_KEPT, UndoError, undo

STEPS = ("open", "os.", "shutil.", "fcntl.")
CREATING = ("os.mkdir", "os.chmod")
FAULTS = ("kill", "full disk", "two at once")
LONGEST = 150
"""Steps within which a fault comes; most actions have fewer, and end undisturbed else."""

Contents = Mapping[str, tuple[bytes, int]]
Action = Callable[[], None]


def versions(dice: random.Random) -> tuple[Contents, Contents, Contents]:
    """What a project holds at first, after one run, and after another."""
    names = [f"pkg{number % 3}/module{number}.py" for number in range(dice.randint(1, 6))]
    first = {name: (f"old {name}\n".encode(), dice.choice([0o644, 0o755, 0o600])) for name in names}
    second = {name: (data.replace(b"old", b"new"), mode) for name, (data, mode) in first.items()}
    second["pyroify.lock"] = (b"lock 1\n", 0o644)
    touched = dice.sample(names, dice.randint(1, len(names)))
    third = {**second, "pyroify.lock": (b"lock 2\n", 0o644), "helpers.py": (b"helpers\n", 0o644)}
    third |= {name: (second[name][0] * 2, second[name][1]) for name in touched}
    return first, second, third


def changes(before: Contents, after: Contents) -> list[Change]:
    """What leads from one version to the next."""
    return [
        Change(name, before[name][0] if name in before else None, data)
        for name, (data, _) in after.items()
    ]


def held(root: Path) -> dict[str, tuple[bytes, int]]:
    """Contents and modes of all files, but for the tool's own."""
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in root.rglob("*")
        if path.is_file() and ".pyroify" not in path.parts
    }


def disturbed(action: Action, fault: str, step: int) -> int:
    """Does it in a child in which ``fault`` happens at that step; the child's number."""
    child = os.fork()
    if child:
        return child
    os.umask(0o022)
    code = 0
    try:
        _arm(fault, step)
        action()
    except (PublishError, UndoError):
        code = 2
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 3
    finally:
        os._exit(code)


def _arm(fault: str, step: int) -> None:
    steps = 0

    def watch(event: str, details: tuple[object, ...]) -> None:
        nonlocal steps
        if not event.startswith(STEPS):
            return
        steps += 1
        if steps < step:
            return
        if fault == "kill" and steps == step:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "full disk" and _creates(event, details):
            raise OSError(errno.ENOSPC, "No space left on device")

    sys.addaudithook(watch)


def _creates(event: str, details: tuple[object, ...]) -> bool:
    if event == "open":
        return isinstance(details[2], int) and bool(details[2] & (os.O_CREAT | os.O_WRONLY))
    return event in CREATING


def attempt(root: Path, seed: int) -> str:
    """What went wrong; "" if nothing did."""
    dice = random.Random(seed)
    os.umask(0o022)
    first, second, third = versions(dice)
    for name, (data, mode) in first.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        (root / name).chmod(mode)
    publish(root, changes(first, second), keep=True)
    fault, is_undo = FAULTS[seed % len(FAULTS)], dice.random() < 0.5
    if is_undo:
        publish(root, changes(second, third), keep=True)

    def rewrite_again() -> None:
        publish(root, changes(second, third), keep=True)

    def take_back() -> None:
        recover(root)
        undo(root)

    action = take_back if is_undo else rewrite_again
    other = dice.choice([take_back, rewrite_again])
    step = dice.randint(1, LONGEST)
    children = [disturbed(action, fault, step)]
    if fault == "two at once":
        children.append(disturbed(other, fault, step))
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    what = f"{fault} at step {step} of {action.__name__}"
    if 3 in codes:
        return f"{what}: failed"
    return next((f"{what}: {fault}" for fault in _lost(root, (first, second, third))), "")


def _lost(root: Path, known: tuple[Contents, ...]) -> list[str]:
    """What is not as it must be after a fault."""
    whole = {name: {version[name] for version in known if name in version} for name in known[-1]}
    faults = [
        f"{name} is not whole"
        for name, content in held(root).items()
        if ".pyroify-" not in name and content not in whole.get(name, ())
    ]
    recover(root)
    if is_interrupted(root):
        faults.append("a journal is left")
    if held(root) not in known:
        faults.append("some files are new and some are old, or something is left over")
    for _ in range(4):
        try:
            undo(root)
        except UndoError as error:
            if error.findings[0].code != NOTHING_KEPT:
                faults.append(f"undo: {error.findings[0]}")
            break
    if held(root) != known[0]:
        faults.append("undo does not lead back")
    return faults


def main() -> int:
    """Attempts as many as are asked for; 1 if something was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lost = 0
    for seed in range(options.seed, options.seed + options.n):
        with tempfile.TemporaryDirectory() as folder:
            if said := attempt(Path(folder), seed):
                print(f"seed {seed}: {said}")
                lost += 1
    print(f"{options.n} attempts, {lost} lost something")
    return int(lost > 0)


if __name__ == "__main__":
    raise SystemExit(main())
