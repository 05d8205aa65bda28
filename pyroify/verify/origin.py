"""The version of a project before the rewrite, and the version after it, as folders."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pyroify.git import GitError, archive
from pyroify.verify.session import VerifyError

_LARGE = 1 << 20
"""Files larger than this many bytes are linked, not copied: they are data."""

_SKIPPED = shutil.ignore_patterns(
    ".git", ".hg", ".venv", "venv", ".tox", ".nox", "node_modules", "__pycache__", ".pyroify"
)


@contextmanager
def original_tree(root: Path, rev: str = "HEAD") -> Iterator[Path]:
    """Check ``root`` out as it was in ``rev``, into a folder that exists for a while.

    Raises :class:`VerifyError` if git does not know it.
    """
    with TemporaryDirectory(prefix="pyroify-original-") as folder:
        packed, tree = Path(folder, "archive.tar"), Path(folder, root.resolve().name)
        try:
            archive(root, rev, packed)
        except GitError as error:
            help = "name the folder of the original with --original"
            raise VerifyError(f"{error}; {help}") from error
        with tarfile.open(packed) as content:
            content.extractall(tree, filter="data")
        packed.unlink()
        yield tree


@contextmanager
def changed_tree(
    root: Path, changes: Mapping[str, bytes], *, linked: bool = True
) -> Iterator[Path]:
    """Copy ``root`` with ``changes`` (new contents by relative path) into a folder, for a while.

    Large files are links to those of ``root``, unless what runs there may write to them.
    """
    with TemporaryDirectory(prefix="pyroify-rewritten-") as folder:
        copy = Path(folder, root.resolve().name)
        copy_file = _copy_or_link if linked else shutil.copyfile
        shutil.copytree(root, copy, ignore=_SKIPPED, copy_function=copy_file, symlinks=linked)
        for path, content in changes.items():
            (copy / path).unlink(missing_ok=True)
            (copy / path).write_bytes(content)
        yield copy


def _copy_or_link(source: str, target: str) -> None:
    if Path(source).stat().st_size > _LARGE:
        Path(target).symlink_to(Path(source).resolve())
    else:
        shutil.copyfile(source, target)
