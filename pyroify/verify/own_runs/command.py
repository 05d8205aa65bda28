"""Runs a command of the user's in a copy of his project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyroify.verify.session import VerifyError, end


def run_command(
    root: Path,
    command: Sequence[str],
    seconds: float,
    start: Path,
    variables: Mapping[str, str],
) -> str:
    """Run it in ``root``, and say how it ended; nothing where it did well.

    Its interpreters import from the folder ``start`` before all else. What it leaves running is
    ended. Raises :class:`VerifyError` if it cannot start.
    """
    paths = [str(start), str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        **variables,
    }
    try:
        child = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise VerifyError(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        said, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"was ended after {seconds:g} s"
    finally:
        end(child)
    if child.returncode == 0:
        return ""
    lines = [line.strip() for line in said.decode(errors="replace").split("\n") if line.strip()]
    last = f": {lines[-1]}" if lines else ""
    return f"ended with exit code {child.returncode}{last}"
