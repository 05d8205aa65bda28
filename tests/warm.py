"""Children of a verification without the seconds that importing torch and Pyro takes.

A process that has imported them, and run nothing, waits for what ``subprocess.Popen`` is asked and
becomes that child in a fork. What a child is given and does is the same: its arguments, folder,
variables, files and session, and the code that it is told to run.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

ROOT = Path(__file__).resolve().parents[1]


class Child:
    """As much of a ``subprocess.Popen`` as a verification needs."""

    def __init__(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], stderr: BinaryIO
    ) -> None:
        self.returncode: int | None = None
        request = json.dumps({"command": command, "cwd": str(cwd), "env": dict(env)})
        socket.send_fds(_server(), [request.encode()], [stderr.fileno()])
        self.pid = int(_server().recv(64))

    def poll(self) -> int | None:
        if self.returncode is None:
            _server().send(json.dumps({"ended": self.pid}).encode())
            self.returncode = json.loads(_server().recv(64))
        return self.returncode

    def wait(self) -> int:
        while (code := self.poll()) is None:
            time.sleep(0.002)
        return code


def start(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stderr: BinaryIO, **more: Any
) -> Child | subprocess.Popen[bytes]:
    """In the place of ``subprocess.Popen``; an interpreter that is another is started as ever."""
    if command[:2] != [sys.executable, "-c"]:
        return subprocess.Popen(command, cwd=cwd, env=env, stderr=stderr, **more)
    return Child(command, cwd, env, stderr)


@cache
def _server() -> socket.socket:
    """The other end ends where this one is closed, with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen([sys.executable, __file__], stdin=theirs, start_new_session=True)
    return ours


def serve(asked: socket.socket) -> None:
    """Fork for each child that is asked for, and tell how it ended."""
    while True:
        message, files, _, _ = socket.recv_fds(asked, 1 << 20, 1)
        if not message:
            return
        request = json.loads(message)
        if "ended" in request:
            process, status = os.waitpid(request["ended"], os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if process else None
            asked.send(json.dumps(code).encode())
        elif os.fork() == 0:
            os._exit(_become(asked, files[0], **request))
        for file in files:
            os.close(file)


def _become(
    asked: socket.socket, errors: int, command: list[str], cwd: str, env: dict[str, str]
) -> int:
    """Run the code of ``python -c CODE ARGUMENTS``, and give its exit code."""
    os.setsid()
    asked.send(str(os.getpid()).encode())
    asked.close()
    nothing = os.open(os.devnull, os.O_RDWR)
    for file, number in ((nothing, 0), (nothing, 1), (errors, 2)):
        os.dup2(file, number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    _, option, code, *arguments = command
    sys.argv = [option, *arguments]
    sys.path[0] = ""
    main = sys.modules["__main__"] = ModuleType("__main__")
    try:
        exec(code, vars(main))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _import_all() -> None:
    """What the child of a verification imports before it reads what it is to do."""
    paths = [*sys.path]
    sys.path.append(str(ROOT))
    importlib.import_module("pyroify.verify.child")
    sys.path[:] = paths
    del sys.modules["pyroify.verify.child"]  # it is what the child runs


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as waiting:
        _import_all()
        serve(waiting)
