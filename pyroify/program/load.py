"""All that is read of a project, at once: nothing of it is read after this."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pyroify import cache
from pyroify.codec import CodecError, read, write
from pyroify.diagnostics import Finding
from pyroify.lock import Lock, read_lock
from pyroify.notebook import is_notebook, starts_of
from pyroify.processes import each
from pyroify.program.closure import Closures, Reached
from pyroify.program.faults import describe_fault
from pyroify.program.layout import line_limit
from pyroify.program.names import ModuleNames
from pyroify.program.scan import candidates
from pyroify.source import NO_NOTEBOOK, SourceError, decode_source, read_source
from pyroify.syntax.extract import extract
from pyroify.syntax.facts import File

CELL_HELP = "mend the cell; what it defines is not known"
SIZE_PER_PROCESS = 100_000
"""With fewer characters than this, a process costs more time to start than it saves."""


@dataclass(frozen=True)
class Loaded:
    """What is read of a project: of its files, its lock and its settings.

    ``files`` has None for those that cannot be read, which ``findings`` tell; those that cannot
    matter are left out. ``is_whole``: no others are, for that they have to do with none selected.
    """

    names: ModuleNames
    files: Mapping[str, File | None]
    is_whole: bool = True
    cells: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Of each notebook the numbers of its cells, and the lines before them."""
    findings: tuple[Finding, ...] = ()
    lock: Lock = field(default_factory=Lock)
    imported: frozenset[str] = frozenset()
    """Files that others import; known where a file makes networks outside of classes."""
    line_limit: int | None = None
    """The longest line that the project's formatter makes, where it says so."""


def load_project(
    root: Path,
    paths: Sequence[str],
    selected: Collection[str] | None = None,
    jobs: int = 1,
) -> Loaded:
    """Read what matters of a project (``paths`` relative to ``root``).

    Those are the files that may hold a module class or use torch, and all that they import. Of a
    project with few files ``selected``, it is what has to do with these: files that import them,
    and whatever those import, directly or not. It is read in up to ``jobs`` processes.
    """
    names = ModuleNames(paths)
    contents = dict(_read_bytes(root, paths))
    codes = {path: _code(path, data) for path, data in contents.items()}
    wanted = candidates(paths, codes)
    closures = Closures(names, codes)
    about = closures.around(paths if selected is None else selected)
    entered, followed = set(about.entered), set[str]()
    cells: dict[str, tuple[tuple[int, int], ...]] = {}
    findings: dict[Finding, None] = {}
    files: dict[str, File | None] = {}
    waiting = [path for path in wanted if path in about.both]
    while waiting:
        texts = _texts(root, {path: contents[path] for path in waiting}, names, findings)
        files |= dict.fromkeys(waiting)
        for text, found in zip(texts, _read(texts, jobs), strict=True):
            if isinstance(found, Finding):
                findings[found] = None
            else:
                files[text.path] = found
        more = Reached()
        while new := sorted((entered & files.keys()) - followed):
            for path in new:
                file = files[path]
                for dotted in file.modules if file else ():
                    more |= closures.leads_to(dotted, path)
            followed.update(new)
            entered |= more.entered
        waiting = sorted(more.both - files.keys())
    for path in (path for path, file in files.items() if file and is_notebook(path)):
        cells[path] = starts_of((codes[path] or b"").decode())
    return Loaded(
        names,
        {path: files[path] for path in paths if path in files},
        about.both.issuperset(wanted),
        cells,
        tuple(findings),
        read_lock(root),
        closures.imported
        if any(file and file.networks for file in files.values())
        else frozenset(),
        line_limit(root),
    )


def _read_bytes(root: Path, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
    """Contents of files; None for those that cannot be read: the reader says what is wrong."""
    for path in paths:
        try:
            yield path, (root / path).read_bytes()
        except OSError:
            yield path, None


def _code(path: str, data: bytes | None) -> bytes | None:
    """The code of a file, as far as it can be told: of a notebook, what is in its cells."""
    if data is None or not is_notebook(path):
        return data
    try:
        return decode_source(data, path).text.encode()
    except SourceError:
        return None


@dataclass(frozen=True, slots=True)
class _Text:
    """The code of a file, and the dotted name it has as a module."""

    path: str
    module: str
    text: str


_Wanted = tuple[_Text, cache.Entry | None]
"""The code of a file, and where its facts are to be kept."""


def _texts(
    root: Path,
    contents: Mapping[str, bytes | None],
    names: ModuleNames,
    findings: dict[Finding, None],
) -> list[_Text]:
    """The code of files; a finding for each that has none."""
    texts = []
    for path, data in contents.items():
        try:
            source = read_source(root / path, path) if data is None else decode_source(data, path)
        except SourceError as error:
            findings[error.finding] = None
            continue
        for cell in source.notebook.cells if source.notebook else ():
            if cell.error:
                message = f"cell {cell.number} cannot be parsed: {cell.error}"
                findings[Finding(path, 1, 1, NO_NOTEBOOK, message, CELL_HELP)] = None
        texts.append(_Text(path, names.module_name(path), source.text))
    return texts


def _read(texts: Sequence[_Text], jobs: int) -> Iterator[File | Finding]:
    """Facts of files, in order; a finding for each of which they cannot be told."""
    wanted = [(text, _entry(text)) for text in texts]
    kept = [_kept(text, entry) for text, entry in wanted]
    unknown = [item for item, known in zip(wanted, kept, strict=True) if known is None]
    size = sum(len(text.text) for text, _ in unknown)
    found = each(_facts, unknown, min(jobs, size // SIZE_PER_PROCESS, len(unknown)), _died)
    return (next(found) if known is None else known for known in kept)


def _facts(wanted: _Wanted) -> File | Finding:
    """What there is to know of a file, in whatever process, kept for later. It never raises."""
    text, entry = wanted
    path = text.path
    try:
        found = extract(text.text, path, text.module, path.endswith("__init__.py"))
        _keep(found, entry)
        return found
    except SyntaxError as error:
        python = "{}.{}".format(*sys.version_info)
        message = f"not valid Python {python}: {error.msg}"
        help = "mend the file, run pyroify with the Python it is for, or exclude it"
        line, column = error.lineno or 1, max(error.offset or 1, 1)
        return Finding(path, line, column, "PYR203", message, help)
    except Exception as error:  # it must not cost the user the other files
        return describe_fault(path, error, "parsed")


def _died(wanted: _Wanted) -> Finding:
    error = RuntimeError("the process that parsed it died")
    return describe_fault(wanted[0].path, error, "parsed")


def _entry(text: _Text) -> cache.Entry | None:
    return cache.entry("facts", text.path, text.module, text.text)


def _kept(text: _Text, entry: cache.Entry | None) -> File | None:
    """The facts of a file that an earlier run has found."""
    if entry is not None and (kept := entry.get()) is not None:
        with suppress(CodecError):
            known = read(kept, File)
            if (known.path, known.module) == (text.path, text.module):
                return known
    return None


def _keep(found: File, entry: cache.Entry | None) -> None:
    if entry is not None:
        with suppress(CodecError):
            entry.put(write(found).encode())
