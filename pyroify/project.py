"""The project a command works on: its root, its spec, its Python files, and which may be written.

The root is the nearest ancestor of the targets that holds the spec, ``.git`` or
``pyproject.toml``. The files are all Python files below it (the index covers them all); the
selected ones are those that the user named, directly or by folder, and that git does not ignore.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pathspec import GitIgnoreSpec

from pyroify.diagnostics import Finding
from pyroify.git import GitError, is_in_repository, list_files
from pyroify.globs import compile_globs
from pyroify.lock import LOCK_NAME
from pyroify.notebook import is_notebook
from pyroify.source import NOT_DECODABLE

MISSING = "PYR201"
NO_PYTHON = "PYR202"
NO_SPEC = "PYR207"
SEVERAL_PROJECTS = "PYR230"
NOT_PYTHON = "PYR231"
BAD_PYPROJECT = "PYR235"

SPEC_NAME = "pyroify.yaml"
CODE_CELL = b"{code-cell}"
"""What tells a notebook in Markdown from any other page."""
RUNTIME = "svi_runtime"
"""The package below the root that training scripts share."""

NEVER_ENTERED = frozenset(
    {
        ".git",
        ".hg",
        ".ipynb_checkpoints",
        ".svn",
        ".eggs",
        ".mypy_cache",
        ".nox",
        ".pyroify",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".venv",
        "__pycache__",
        "__pypackages__",
        "node_modules",
        "site-packages",
    }
)
ENVIRONMENT_MARKERS = ("pyvenv.cfg", "conda-meta")


class ProjectError(Exception):
    """The targets, or what surrounds them, do not make a project; ``finding`` says why."""

    def __init__(self, code: str, path: Path, message: str, help: str) -> None:
        super().__init__(message)
        self.finding = Finding(str(path), 1, 1, code, message, help)


@dataclass(frozen=True, slots=True)
class Project:
    """``files`` and ``selected`` are relative to ``root``, with forward slashes, sorted.

    ``findings`` are about folders and links below what was named that cannot be looked into.
    """

    root: Path
    spec_path: Path | None
    files: tuple[str, ...]
    selected: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    def narrowed(self, include: Sequence[str], exclude: Sequence[str]) -> Project:
        """The project without the selected files that the spec's globs leave out.

        The globs are git's, relative to the root; without ``include`` everything is included.
        """
        wanted, unwanted = compile_globs(include or ("**",)), compile_globs(exclude)
        # `include` is about .py files; a notebook counts where such a file in its place would.
        selected = (
            path
            for path in self.selected
            if wanted.match_file(path) or wanted.match_file(_as_source(path))
        )
        # Whether `include` names something in a folder that cannot be listed, nobody knows.
        return replace(
            self,
            selected=tuple(path for path in selected if not unwanted.match_file(path)),
            findings=tuple(f for f in self.findings if not unwanted.match_file(f"{f.path}/")),
        )

    def unmatched(self, globs: Sequence[str]) -> Iterator[int]:
        """Which of the globs, by number, match no file of the project."""
        for number, glob in enumerate(globs):
            wanted = compile_globs((glob,))
            if not any(wanted.match_file(path) for path in self.files):
                yield number

    def without(self, file: str) -> Project:
        """The project without ``file``, as if it were not there."""
        files = tuple(path for path in self.files if path != file)
        return replace(self, files=files, selected=tuple(p for p in self.selected if p != file))


def open_project(
    targets: Sequence[Path], spec: Path | None, stdin_filename: Path | None = None
) -> Project:
    """Finds the project of ``targets`` (files and folders; none means the current folder).

    ``stdin_filename`` stands for a target whose text comes from elsewhere: it need not exist.
    Raises ProjectError for a target that is missing or no Python file, for targets of several
    projects, and where there is no Python file at all.
    """
    named = tuple(_resolve_target(target) for target in targets or (Path(),))
    if stdin_filename is not None:
        named = (_absolute(stdin_filename),)
    root, spec_path = _find(named, spec)
    faults: list[Finding] = []
    walked = set(_walk(root, root, faults))
    selected = set(_select(named, root, walked, faults))
    if not selected and faults:
        raise ProjectError(faults[0].code, root / faults[0].path, faults[0].message, faults[0].help)
    if not selected:
        raise ProjectError(
            NO_PYTHON,
            named[0],
            "no Python files found",
            "name a folder that holds .py files which git does not ignore; "
            "virtual environments and installed packages are never rewritten",
        )
    paths = tuple(target.relative_to(root) for target in named)
    shared = {path for path in walked | selected if _is_shared_by_scripts(root, path)}
    return Project(
        root,
        spec_path,
        files=tuple(sorted((walked | selected) - shared)),
        selected=tuple(sorted(selected - shared)),
        findings=tuple(
            sorted({f for f in faults if any(Path(f.path).is_relative_to(path) for path in paths)})
        ),
    )


def find_root(target: Path, spec: Path | None) -> Path:
    """The root of the project of ``target``, in which there need be no Python file any more."""
    return _find((_absolute(target),), spec)[0]


def _find(named: Sequence[Path], spec: Path | None) -> tuple[Path, Path | None]:
    """The root of the project of some targets, and its spec."""
    folders = {target if target.is_dir() else target.parent for target in named}
    spec_path = _resolve_spec(spec) if spec else _find_spec(_common_folder(folders))
    return _find_root(folders, spec_path), spec_path


def _is_shared_by_scripts(root: Path, path: str) -> bool:
    """Whether `emit` wrote the file for its scripts, which makes it no code of the project."""
    if not path.startswith(f"{RUNTIME}/"):
        return False
    with suppress(OSError), (root / path).open("rb") as file:
        return file.readline(200).startswith(b"# Written by pyroify ")
    return False


@contextmanager
def stand_in(project: Project, data: bytes) -> Iterator[Path]:
    """A root of links to the project's files, in which the selected file holds ``data``."""
    with TemporaryDirectory(prefix="pyroify-") as folder:
        lock = project.root / LOCK_NAME
        if lock.is_file() and not lock.is_symlink():
            Path(folder, LOCK_NAME).write_bytes(lock.read_bytes())
        for path in project.files:
            stand_in = Path(folder, path)
            stand_in.parent.mkdir(parents=True, exist_ok=True)
            if path in project.selected:
                stand_in.write_bytes(data)
            else:
                stand_in.symlink_to(project.root / path)
        yield Path(folder)


def from_here(path: Path) -> Path:
    """``path`` as messages show it: relative to the current folder where it lies below it."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _absolute(path: Path) -> Path:
    """``path`` with its folder resolved, but not followed where it is itself a link."""
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def _resolve_target(target: Path) -> Path:
    if not os.path.exists(target):
        raise ProjectError(MISSING, target, "no such file or folder", "check the path")
    if target.is_file() and not _is_python(target):
        help = "name .py files, scripts that start with #! and python, or folders that hold some"
        raise ProjectError(NOT_PYTHON, target, "is not a Python source file", help)
    return _absolute(target)


def _is_python(file: Path) -> bool:
    if file.suffix:
        return file.suffix == ".py" or is_notebook(file.name)
    with file.open("rb") as opened:
        return re.match(rb"#!.*python", opened.readline(200)) is not None


def _resolve_spec(spec: Path) -> Path:
    if not spec.is_file():
        help = "check --spec, or write a first spec with `pyroify init`"
        raise ProjectError(MISSING, spec, "no such spec file", help)
    return spec.resolve()


def _common_folder(folders: Iterable[Path]) -> Path:
    return Path(os.path.commonpath(folders))


def _upward(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.parents


def _find_spec(folder: Path) -> Path | None:
    """The spec that governs ``folder``; a repository's top folder is the last one looked into."""
    for ancestor in _upward(folder):
        spec = _named_in_pyproject(ancestor / "pyproject.toml") or ancestor / SPEC_NAME
        if spec.is_file():
            return spec
        if _is_there(ancestor / ".git"):
            return None
    return None


def _named_in_pyproject(pyproject: Path) -> Path | None:
    """The file that ``[tool.pyroify] spec`` names."""
    if not pyproject.is_file():
        return None
    try:
        document = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        help = "correct the file; pyroify looks there for [tool.pyroify]"
        raise ProjectError(BAD_PYPROJECT, pyproject, f"is no valid TOML: {error}", help) from error
    table = document.get("tool", {}).get("pyroify")
    if table is None:
        return None
    if not isinstance(table, dict) or set(table) != {"spec"} or not isinstance(table["spec"], str):
        help = 'write: [tool.pyroify] spec = "path/to/pyroify.yaml"'
        raise ProjectError(BAD_PYPROJECT, pyproject, "[tool.pyroify] takes one key, spec", help)
    spec = pyproject.parent / table["spec"]
    if not spec.is_file():
        help = "correct the path (it is relative to pyproject.toml)"
        message = f"[tool.pyroify] names {table['spec']}, which does not exist"
        raise ProjectError(BAD_PYPROJECT, pyproject, message, help)
    return spec.resolve()


def _find_root(folders: set[Path], spec_path: Path | None) -> Path:
    if len({_nearest(folder, ".git") for folder in folders}) > 1:
        raise _several_projects(folders)
    common = _common_folder(folders)
    for ancestor in _upward(common):
        if spec_path is not None and spec_path.parent == ancestor:
            return ancestor
        if any((ancestor / mark).exists() for mark in (SPEC_NAME, ".git", "pyproject.toml")):
            return ancestor
    if len({_nearest(folder, "pyproject.toml") for folder in folders}) > 1:
        raise _several_projects(folders)
    return common


def _nearest(folder: Path, mark: str) -> Path | None:
    return next((ancestor for ancestor in _upward(folder) if _is_there(ancestor / mark)), None)


def _is_there(path: Path) -> bool:
    """Whether something exists, as far as one may know: in a closed folder nothing does."""
    return os.path.exists(path)


def _several_projects(folders: Iterable[Path]) -> ProjectError:
    first, *rest = sorted(folders)
    message = f"belongs to another project than {', '.join(map(str, rest))}"
    return ProjectError(SEVERAL_PROJECTS, first, message, "run pyroify once for each project")


def _select(
    named: Sequence[Path], root: Path, walked: set[str], faults: list[Finding]
) -> Iterator[str]:
    """The files that ``named`` stands for; what is named itself counts although git ignores it."""
    for target in named:
        path = target.relative_to(root).as_posix()
        if _is_in_environment(root, target):
            continue
        if not target.is_dir():
            yield path
        elif target == root:
            yield from walked
        else:
            inside = [file for file in walked if file.startswith(path + "/")]
            yield from inside or _walk(target, root, faults)


def _is_in_environment(root: Path, target: Path) -> bool:
    folders = target.parents if target.is_file() else (target, *target.parents)
    return any(
        folder.name in NEVER_ENTERED or _is_environment(folder)
        for folder in folders
        if folder.is_relative_to(root) and folder != root
    )


def _is_environment(folder: Path) -> bool:
    return any(_is_there(folder / marker) for marker in ENVIRONMENT_MARKERS)


@dataclass(frozen=True, slots=True)
class _Listing:
    """What git lists of a repository: files, and the folders and repositories on the way to some.

    All are absolute, without a slash at the end.
    """

    files: frozenset[str]
    folders: frozenset[str]
    repositories: frozenset[str]

    def has_folder(self, path: str) -> bool:
        """Whether something is listed in a folder."""
        return path in self.folders or path in self.repositories


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """The patterns of one ignore file, which are relative to ``folder`` (it ends in a slash)."""

    folder: str
    patterns: GitIgnoreSpec


def _walk(start: Path, root: Path, faults: list[Finding]) -> Iterator[str]:
    """Python files and notebooks below ``start`` that git does not ignore, relative to ``root``.

    Which these are is git's answer; where there is none to be had, it is that of the ignore files.
    What cannot be looked into is no reason to stop: it is added to ``faults``.
    """
    above, listing = _ignore_files_above(start), None
    if _is_ignored(above, f"{start}/"):  # it was named all the same
        above = ()
    else:
        listing = _list_by_git(start)
        if start != root and listing is not None and not listing.files:
            listing = None
    waiting = [(start, above, listing)]
    while waiting:
        folder, levels, listing = waiting.pop()
        levels = (*levels, *_read_ignore_file(folder / ".gitignore", folder))
        if listing is not None and str(folder) in listing.repositories:
            listing = _list_by_git(folder)
        try:
            with os.scandir(folder) as listed:
                entries = list(listed)
        except OSError as error:
            faults.append(_fault(folder, root, MISSING, f"cannot be listed: {error.strerror}"))
            continue
        for entry in entries:
            try:
                if _is_folder_to_enter(entry, levels, listing):
                    waiting.append((Path(entry.path), levels, listing))
                elif _is_source(entry, levels, listing):
                    yield Path(entry.path).relative_to(root).as_posix()
            except OSError as error:  # a link to itself, say
                message = f"cannot be looked at: {error.strerror}"
                faults.append(_fault(Path(entry.path), root, NOT_DECODABLE, message))


def _list_by_git(folder: Path) -> _Listing | None:
    """What git tracks below ``folder`` or would add; None where git does not say."""
    if not is_in_repository(folder):
        return None
    try:
        listed = [f"{folder}/{path}" for path in list_files(folder, "-co", "--exclude-standard")]
    except GitError:
        return None
    # A repository in this one is listed as such, whether or not it is a submodule.
    repositories = frozenset(
        path.rstrip("/") for path in listed if path.endswith("/") or os.path.isdir(path)
    )
    folders: set[str] = set()
    for path in listed:
        above = path.rstrip("/").rpartition("/")[0]
        while above not in folders and len(above) > len(str(folder)):
            folders.add(above)
            above = above.rpartition("/")[0]
    return _Listing(frozenset(listed), frozenset(folders), repositories)


def _is_folder_to_enter(
    entry: os.DirEntry[str], levels: Sequence[_IgnoreFile], listing: _Listing | None
) -> bool:
    return (
        entry.is_dir(follow_symlinks=False)
        and entry.name not in NEVER_ENTERED
        and (
            (listing is not None and listing.has_folder(entry.path))
            # In one that cannot be listed there may be anything.
            or (
                (listing is None or not os.access(entry.path, os.R_OK))
                and not _is_ignored(levels, entry.path + "/")
            )
        )
        and not _is_environment(Path(entry.path))
    )


def _as_source(path: str) -> str:
    """The path as if it were that of a Python file."""
    return f"{path.rpartition('.')[0]}.py" if is_notebook(path) else path


def _is_source(
    entry: os.DirEntry[str], levels: Sequence[_IgnoreFile], listing: _Listing | None
) -> bool:
    if not entry.name.endswith(".py") and not is_notebook(entry.name):
        return False
    is_left = (
        _is_ignored(levels, entry.path) if listing is None else entry.path not in listing.files
    )
    if is_left or not entry.is_file():
        return False
    return not entry.name.endswith(".md") or CODE_CELL in Path(entry.path).read_bytes()


def _fault(path: Path, root: Path, code: str, message: str) -> Finding:
    help = "make it readable, or leave it out by .gitignore or exclude: in the spec"
    return Finding(path.relative_to(root).as_posix(), 1, 1, code, message, help)


def _ignore_files_above(folder: Path) -> tuple[_IgnoreFile, ...]:
    """The ignore files between the top of ``folder``'s repository and ``folder``, top first."""
    top = _nearest(folder, ".git")
    if top is None or top == folder:
        exclude = folder / ".git" / "info" / "exclude"
        return _read_ignore_file(exclude, folder)
    between = [ancestor for ancestor in folder.parents if ancestor.is_relative_to(top)]
    files = [(top / ".git" / "info" / "exclude", top)]
    files += [(ancestor / ".gitignore", ancestor) for ancestor in reversed(between)]
    return tuple(ignore for file, base in files for ignore in _read_ignore_file(file, base))


def _read_ignore_file(file: Path, folder: Path) -> tuple[_IgnoreFile, ...]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return (_IgnoreFile(f"{folder}/", compile_globs(lines)),)


def _is_ignored(levels: Sequence[_IgnoreFile], path: str) -> bool:
    """Whether git ignores ``path`` (a folder ends in a slash): the deepest file decides."""
    for level in reversed(levels):
        verdict = level.patterns.check_file(path.removeprefix(level.folder)).include
        if verdict is not None:
            return verdict
    return False
