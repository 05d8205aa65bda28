"""Run verifications in child processes: what hangs, crashes or exits there harms nothing here."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pyroify.verify.model import IMPORTING, PlannedClasses, Status, Target, VerifyResult
from pyroify.verify.own_runs.notes import NOT_BUILT, Recording, read_notes

START_SECONDS = 120.0
"""How long importing torch may take before the first target."""

_POLL_SECONDS = 0.02
_SLOWDOWN = 20
"""The rewritten code may take that much longer than the original: it is also trained."""
_IDLE = 0.05
"""The share of the time that a child computes at least, on a machine that is busy otherwise."""

_BOOTSTRAP = """\
import runpy, sys
sys.path[:] = [*filter(None, sys.path), sys.argv.pop(1)]  # not the folder that is the current one
runpy.run_module("pyroify.verify.child", run_name="__main__")
"""


class VerifyError(Exception):
    """Nothing can be verified at all; the message says what to do."""


def verify(
    original_root: Path,
    rewritten_root: Path,
    targets: Sequence[Target],
    timeout: float = 120.0,
    *,
    python: str = sys.executable,
    local_params: bool = True,
    planned: PlannedClasses | None = None,
    progress: Callable[[VerifyResult], None] = lambda result: None,
) -> tuple[VerifyResult, ...]:
    """Compare the classes of two versions of a project; one result for each target, in order.

    ``timeout`` is in seconds, for one class. ``python`` is the interpreter that has torch,
    pyro-ppl and what the project imports. ``local_params`` is Pyro's ``module_local_params``.
    ``planned`` is what the rewritten classes are compared with beside the original ones.
    ``progress`` is called with each result as it comes. Raises :class:`VerifyError` if the child
    process cannot start.
    """
    with tempfile.TemporaryDirectory(prefix="pyroify-parts-") as notes:
        request = {
            "original": str(original_root.resolve()),
            "rewritten": str(rewritten_root.resolve()),
            "local_params": local_params,
            "notes": notes,
        }
        given = dict(enumerate(targets))
        results = _verify_all(request, planned, given, timeout, python, progress)
        parts = _as_parts(read_notes(Path(notes)), given, results)
        again = _verify_all(request, planned, parts, timeout, python, progress)
    results |= {n: result for n, result in again.items() if result.status != "not_verified"}
    return tuple(
        replace(results[number], is_unbuilt=target.build.unrecorded == NOT_BUILT)
        for number, target in given.items()
    )


def _as_parts(
    noted: Recording, targets: Mapping[int, Target], results: Mapping[int, VerifyResult]
) -> dict[int, Target]:
    """The targets that are not verified, but were called within others: to be called so."""
    parts = {}
    for number, target in targets.items():
        key = (target.path, target.qualname)
        called = tuple((build, calls) for build, calls in noted.builds.get(key, ()) if calls)
        around = () if called else noted.within.get(key, ())
        if (called or around) and results[number].status == "not_verified":
            build = replace(target.build, recorded=called, enclosing=around, is_part=True)
            parts[number] = replace(target, build=build)
    return parts


def _verify_all(
    request: Mapping[str, Any],
    planned: PlannedClasses | None,
    targets: Mapping[int, Target],
    timeout: float,
    python: str,
    progress: Callable[[VerifyResult], None],
) -> dict[int, VerifyResult]:
    """Start child processes until there is a result for each target."""
    results: dict[int, VerifyResult] = {}
    while len(results) < len(targets):
        left = [(n, target) for n, target in targets.items() if n not in results]
        for number, result in _run_child(request, planned, left, timeout, python):
            results[number] = result
            progress(result)
    return results


def _run_child(
    request: Mapping[str, Any],
    planned: PlannedClasses | None,
    left: Sequence[tuple[int, Target]],
    timeout: float,
    python: str,
) -> Iterator[tuple[int, VerifyResult]]:
    """Yield results until the child ends; at least one."""
    documents = [{"number": number, **asdict(target)} for number, target in left]
    with tempfile.TemporaryDirectory(prefix="pyroify-verify-") as folder:
        place = Path(folder)
        (place / "request.json").write_text(json.dumps({**request, "targets": documents}))
        (place / "plan.pickle").write_bytes(pickle.dumps(planned))
        (place / "results.jsonl").touch()
        with _child(python, place) as child:
            yield from _Watch(child, place, dict(left), timeout).results()


@contextmanager
def _child(python: str, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child in ``place``, and end it in the end, with all that it has started."""
    package_folder = str(Path(__file__).resolve().parents[2])
    files = [str(place / name) for name in ("request.json", "plan.pickle", "results.jsonl")]
    quiet = {"MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with (place / "errors.txt").open("wb") as errors:
        try:
            child = subprocess.Popen(
                [python, "-c", _BOOTSTRAP, package_folder, *files],
                cwd=place,
                env={**os.environ, **quiet},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise VerifyError(f"{python} cannot be started: {error.strerror}") from error
        try:
            yield child
        finally:
            end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a child that leads a session of its own, with all that it has started."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()


class _Watch:
    """Reads what a child reports, and judges a child that ends or stands still."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        place: Path,
        left: dict[int, Target],
        timeout: float,
    ) -> None:
        self._child, self._place, self._left, self._timeout = child, place, left, timeout
        self._target: int | None = None
        self._stage = ""
        self._since = time.monotonic()
        self._computed = 0.0
        """Seconds that the child had computed when the stage began."""
        self._slowest_original, self._is_searching = 0.0, True
        self._noise = 0
        """Bytes that earlier targets have written to stderr."""

    def results(self) -> Iterator[tuple[int, VerifyResult]]:
        for document in self._documents():
            number = document["target"]
            if "stage" in document:
                self._begin(number, document["stage"])
                continue
            del self._left[number]
            yield number, _result(document["result"])
            if not self._left:
                return
        yield from self._blame()

    def _documents(self) -> Iterator[dict[str, Any]]:
        """Yield what the child writes until it ends or stands still."""
        rest = ""
        with (self._place / "results.jsonl").open() as lines:
            while True:
                has_ended = self._child.poll() is not None
                *complete, rest = (rest + lines.read()).split("\n")
                yield from map(json.loads, complete)
                if has_ended or self._is_over():
                    return
                time.sleep(_POLL_SECONDS)

    def _begin(self, number: int, stage: str) -> None:
        if number != self._target:
            self._noise = self._errors().stat().st_size
            self._slowest_original, self._is_searching = 0.0, True
        elif self._stage == IMPORTING:
            self._is_searching = True  # for arguments and inputs
        elif self._stage == "original":
            seconds = 0.0 if self._is_searching else self._seconds()
            self._slowest_original = max(self._slowest_original, seconds)
            self._is_searching = False
        self._target, self._stage, self._since = number, stage, time.monotonic()
        self._computed = _seconds_computed(self._child.pid) or 0.0

    def _seconds(self) -> float:
        return time.monotonic() - self._since

    def _is_over(self) -> bool:
        """Whether the child has had its time, or stands still: a busy machine is no fault of it."""
        limit = START_SECONDS if self._target is None else self._timeout
        if (seconds := self._seconds()) <= limit:
            return False
        computed = _seconds_computed(self._child.pid)
        if computed is None:
            return True
        return not _IDLE * seconds < computed - self._computed < limit

    def _blame(self) -> Iterator[tuple[int, VerifyResult]]:
        """Say what the target that was being verified did.

        A file that cannot be imported is not tried again for each of its classes.
        """
        if self._target not in self._left:
            raise VerifyError(self._why_not_started())
        target = self._left[self._target]
        has_ended = self._child.poll() is not None
        what = self._last_words() if has_ended else f"takes longer than {self._timeout:g} s"
        is_slow = not has_ended and self._slowest_original * _SLOWDOWN > self._timeout
        status: Status = "not_verified"
        if self._stage == IMPORTING:
            reason = f"its file cannot be imported: that {what}"
        elif self._stage == "original":
            reason = f"the original {what}"
        elif is_slow:
            reason = f"comparing {what}: the class is slow"
        else:
            status, reason = "failed", f"the rewritten code {what}"
        yield self._target, VerifyResult(target.name, target.path, status, reason)
        if self._stage == IMPORTING:
            for number, other in self._left.items():
                if other.path == target.path and number != self._target:
                    reason = f"its file cannot be imported, see {target.qualname}"
                    yield number, VerifyResult(other.name, other.path, status, reason)

    def _last_words(self) -> str:
        code = self._child.returncode
        end = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        said = self._errors().read_bytes()[self._noise :]
        lines = said.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"ends the process ({end}{': ' if last else ''}{last})"

    def _errors(self) -> Path:
        return self._place / "errors.txt"

    def _why_not_started(self) -> str:
        if self._child.poll() is None:
            return f"importing torch and pyro takes longer than {START_SECONDS:g} s"
        words = self._last_words()
        if "No module named 'torch'" in words or "No module named 'pyro'" in words:
            return "torch and pyro-ppl are needed to verify: pip install 'pyroify[run]'"
        return f"the child process {words}"


def _seconds_computed(process: int) -> float | None:
    """The processor time of a process and what it waited for; None where that cannot be told."""
    try:
        # The name comes second, in parentheses; it may hold spaces.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None


def _result(document: dict[str, Any]) -> VerifyResult:
    sites = {name: (tuple(shape), dims) for name, (shape, dims) in document["sites"].items()}
    lists = {name: tuple(document[name]) for name in ("calls", "left_out")}
    return VerifyResult(**{**document, **lists, "sites": sites})
