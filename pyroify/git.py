"""Asks git about a repository that may be a stranger's: nothing of it chooses a program to run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from hashlib import sha1, sha256
from pathlib import Path

_SETTINGS = ("-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")
_ENVIRONMENT = {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
_SHA1 = 40


class GitError(Exception):
    """Git gives no answer; the message says why."""


def is_in_repository(folder: Path) -> bool:
    """Whether there is a ``.git`` at ``folder`` or above it."""
    real = folder.resolve()
    return any(os.path.lexists(above / ".git") for above in (real, *real.parents))


def list_files(folder: Path, *options: str) -> Iterator[str]:
    """What ``git ls-files`` lists below ``folder``, relative to it. Raises GitError.

    It reads the index and the names of files, never their contents: so no filter is run that
    attributes and settings of the repository name.
    """
    done = _ask(folder, "ls-files", "-z", *options)
    if done.returncode:
        raise GitError(f"git does not say what it tracks: {_said(done)}")
    yield from filter(None, os.fsdecode(done.stdout).split("\0"))


def archive(folder: Path, revision: str, file: Path) -> None:
    """Write what is below ``folder`` in ``revision`` into a tar ``file``. Raises GitError."""
    into = f"--output={file}"
    wanted = ("--format=tar", into, "--end-of-options", revision, ".")
    done = _ask(folder, "archive", *wanted, seconds=600)
    if done.returncode:
        raise GitError(f"git does not know {revision}: {_said(done)}")


def _ask(folder: Path, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[bytes]:
    # A hook is run with these set for the repository of the hook.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    command = ("git", *_SETTINGS, "-C", str(folder), *arguments)
    try:
        return subprocess.run(
            command, capture_output=True, env=environment | _ENVIRONMENT, timeout=seconds
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(f"git cannot be asked: {error}") from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode(errors="replace").strip().partition("\n")[0]


def uncommitted(folder: Path, contents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Those of the files whose ``contents`` git could not give back. Raises GitError."""
    staged: dict[str, str] = {}
    for line in list_files(folder, "--stage"):
        about, _, path = line.partition("\t")
        staged[path] = about.split(" ")[1]
    return tuple(path for path, data in contents.items() if not _is_blob(data, staged.get(path)))


def _is_blob(data: bytes, name: str | None) -> bool:
    """Whether a blob of that name holds ``data``, where git may have changed the line ends."""
    if name is None:
        return False
    digest = sha1 if len(name) == _SHA1 else sha256
    return any(
        digest(b"blob %d\0" % len(stored) + stored).hexdigest() == name
        for stored in (data, data.replace(b"\r\n", b"\n"))
    )
