"""Notes in a run of the user's how the modules of a project are built, and their first calls.

This file is loaded by the interpreters that the run starts, whatever is installed there: it needs
nothing of pyroify, and torch only once the run itself imports it. What is noted goes into a folder,
piece by piece, so that a run that is killed leaves what it had noted by then.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import io
import json
import os
import pickle
import sys
import threading
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT, FOLDER, LIMIT = "PYROIFY_RECORD_ROOT", "PYROIFY_RECORD_FOLDER", "PYROIFY_RECORD_BYTES"
"""Variables that say what to note, where, and how many bytes at most."""
INDEX = "index.jsonl"

BUILDS, CALLS, TRIED = 8, 3, 500
"""How many ways to build a class are noted, how many calls of each, among how many instances."""
LARGEST = 1 << 26
"""Bytes that one note takes at most."""
STATE = 1 << 24
"""Bytes of parameters and buffers that are noted with the first call of what was built."""


class TooLarge(Exception):
    """A value takes more bytes than a note may have."""


class _Notes(pickle.Pickler):
    """Writes values, but names what belongs to the project instead of writing it out.

    Its classes and functions are named by their file, its modules by how they were built.
    """

    def __init__(self, file: io.BytesIO, recorder: Recorder) -> None:
        super().__init__(file, protocol=4)
        self.recorder = recorder
        self.numbers: dict[int, int] = {}

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, type | types.FunctionType):
            path = self.recorder.path_of(value)
            return ("global", path, value.__module__, value.__qualname__) if path else None
        if isinstance(value, self.recorder.base) and self.recorder.path_of(type(value)):
            built = self.recorder.built.get(id(value))
            if built is None:
                raise pickle.PicklingError(f"how {type(value).__name__} was built is not noted")
            number = self.numbers.setdefault(id(value), len(self.numbers))
            return ("instance", built, number)
        return None


class _Limited(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + len(data) > LARGEST:
            raise TooLarge(f"it takes more than {LARGEST >> 20} MB")
        return super().write(data)


class Recorder:
    """Notes what modules below ``root`` are built with, and called with, into ``folder``."""

    def __init__(self, root: Path, folder: Path, limit: int) -> None:
        self.root, self.folder, self.left = root, folder, limit
        self.base: type = object
        self.built: dict[int, str] = {}
        """The notes about living instances, by their ids."""
        self._pending: dict[int, str] = {}
        self._paths: dict[Any, str] = {}
        self._counts: Counter[Any] = Counter()
        self._said: set[Any] = set()
        self._noted: dict[Any, str] = {}
        """The notes about calls, by their form."""
        self._local = threading.local()

    def watch(self, base: Any) -> None:
        """Note what classes that derive from ``base``, torch's Module, do."""
        self.base = base
        begin, call = base.__init__, base.__call__
        recorder = self

        def __new__(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
            make = super(base, cls).__new__
            made = make(cls) if make is object.__new__ else make(cls, *args, **kwargs)
            recorder.built.pop(id(made), None)  # of one that is gone
            if recorder.path_of(cls):
                recorder.note_build(made, args, kwargs)
            return made

        def __init__(module: Any, *args: Any, **kwargs: Any) -> None:
            if note := recorder._pending.pop(id(module), ""):
                recorder.built[id(module)] = note
            begin(module, *args, **kwargs)

        def __call__(module: Any, *args: Any, **kwargs: Any) -> Any:
            if not recorder.path_of(type(module)):
                return call(module, *args, **kwargs)
            with recorder.calling(module, args, kwargs):
                return call(module, *args, **kwargs)

        base.__new__ = staticmethod(__new__)
        base.__init__ = __init__
        base.__call__ = __call__

    def path_of(self, thing: Any) -> str:
        """The file of a class or function of the project, below its root; empty for another."""
        if thing not in self._paths:
            module = sys.modules.get(getattr(thing, "__module__", None) or "")
            file = getattr(module, "__file__", None)
            path = ""
            if file and "<" not in thing.__qualname__:  # no name leads to what a function defines
                with suppress(ValueError, OSError):
                    path = Path(file).resolve().relative_to(self.root).as_posix()
            self._paths[thing] = "" if "site-packages" in path else path
        return self._paths[thing]

    def note_build(self, made: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Note the arguments of a constructor that is about to run."""
        cls = type(made)
        self._counts["tried", cls] += 1
        if self._counts["tried", cls] <= TRIED and (
            note := self._write("build", cls, (args, kwargs, _default_dtype()))
        ):
            self._pending[id(made)] = note

    @contextmanager
    def calling(self, module: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Iterator[None]:
        """Note a call that is about to run, or else the noted one in which it runs."""
        around: list[tuple[str, str]] = self._local.__dict__.setdefault("around", [])
        built = self.built.get(id(module), "")
        note = self.note_call(module, built, args, kwargs) if built else ""
        if not note and around:
            outer, call = around[-1]
            self._say("within", type(module), call, built=outer)
        if note:
            around.append((built, note))
        try:
            yield
        finally:
            if note:
                around.pop()

    def note_call(
        self, module: Any, built: str, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> str:
        """Note the arguments of a call, and the moment; return the note, or that of one alike."""
        form = (built, module.training, *map(_form, (*args, *kwargs.values())))
        if form not in self._noted and self._counts["calls", built] < CALLS:
            moment = self._moment(module, with_state=not self._counts["calls", built])
            value = (args, kwargs, moment)
            self._noted[form] = self._write("call", type(module), value, built=built)
            self._counts["calls", built] += bool(self._noted[form])
        return self._noted.get(form, "")

    def _moment(self, module: Any, *, with_state: bool) -> dict[str, Any]:
        """The state of torch's random numbers, and of a module: modes, parameters and buffers."""
        moment = {
            "random": sys.modules["torch"].get_rng_state(),
            "training": {path: part.training for path, part in module.named_modules()},
            "state": {},
        }
        held = (module.named_parameters, module.named_buffers)
        if with_state:
            with suppress(Exception):  # those of a lazy layer have no size yet
                state = {name: value.detach() for of in held for name, value in of()}
                sizes = (value.numel() * value.element_size() for value in state.values())
                moment["state"] = state if sum(sizes) <= STATE else {}
        return moment

    def _write(self, kind: str, cls: type, value: Any, **more: str) -> str:
        """Write a note, and return its name; nothing where it cannot be written."""
        if getattr(self._local, "is_busy", False):
            return ""
        self._local.is_busy = True
        try:
            data = _Limited()
            _Notes(data, self).dump((cls, value))
            content = data.getvalue()
        except Exception as error:
            self._say(kind, cls, "", reason=f"{type(error).__name__}: {error}".split("\n")[0])
            return ""
        finally:
            self._local.is_busy = False
        name = sha256(repr((kind, self.path_of(cls), cls.__qualname__, more)).encode() + content)
        note = name.hexdigest()[:24]
        if not (self.folder / note).exists():
            if len(content) > self.left:
                self._say(kind, cls, "", reason="the notes take more bytes than allowed")
                return ""
            if kind == "build" and self._counts["builds", cls] == BUILDS:
                return ""
            self._counts["builds", cls] += kind == "build"
            self.left -= len(content)
            part = self.folder / f"{note}.{os.getpid()}"
            part.write_bytes(content)
            os.replace(part, self.folder / note)
        self._say(kind, cls, note, **more)
        return note

    def _say(self, kind: str, cls: type, note: str, **more: str) -> None:
        """Add a line to the index, each once."""
        said = (kind, cls, note, *more.items())
        if said in self._said:
            return
        self._said.add(said)
        entry = {
            "kind": kind,
            "path": self.path_of(cls),
            "qualname": cls.__qualname__,
            "note": note,
        }
        line = json.dumps({**entry, **more}) + "\n"
        with suppress(OSError), (self.folder / INDEX).open("a") as index:
            index.write(line)


def _default_dtype() -> Any:
    return sys.modules["torch"].get_default_dtype()


def _form(value: Any) -> Any:
    """What tells one call from another: shapes and types, not values."""
    shape = getattr(value, "shape", None)
    return (type(value).__name__, tuple(shape) if isinstance(shape, tuple) else "")


class _WhenImported(importlib.abc.MetaPathFinder):
    """Has the recorder watch torch's Module as soon as it is there."""

    NAME = "torch.nn.modules.module"

    def __init__(self, then: Callable[[type], None]) -> None:
        self.then = then

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            run, then = spec.loader.exec_module, self.then

            def exec_module(module: types.ModuleType) -> None:
                run(module)
                then(module.Module)

            vars(spec.loader)["exec_module"] = exec_module
        return spec


def start() -> None:
    """Begin to note, if the surroundings ask for it."""
    if ROOT in os.environ:
        root, folder = Path(os.environ[ROOT]).resolve(), Path(os.environ[FOLDER])
        recorder = Recorder(root, folder, int(os.environ[LIMIT]))
        sys.meta_path.insert(0, _WhenImported(recorder.watch))
