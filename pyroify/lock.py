"""``pyroify.lock``: which declarations of a project pyroify wrote, told from those of its users.

One line for each declaration, sorted, so that git can merge the file: path of the source file,
class, site, and a digest of what the declaration says. ``*`` stands for a statement about several
sites, and for the class of a helper function. ``named`` marks a declaration in place of one of the
user's, which a rule names: wildcards leave it alone, as they left that.

A lock can only mark declarations as pyroify's. It never names what is to be written or removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, unquote

from pyroify.diagnostics import Finding

LOCK_NAME = "pyroify.lock"
BAD_LOCK = "PYR242"

HEADER = "# pyroify.lock 1 - the declarations that pyroify wrote. Commit it with them.\n"
VERSION = re.compile(r"# pyroify\.lock (\d+)\b.*")
LINE = re.compile(r"(\S+) (\S+) (\S+) ([0-9a-f]{16})( named)?")
READABLE = "/~!$&'()*+,;=:@[]{}<>^"
"""What stays as it is in a line; blanks, per cent signs and what is no ASCII are quoted."""

MERGE = re.compile(r"<{7}|={7}|>{7}|\|{7}")
RESTORE = f"restore it: git checkout -- {LOCK_NAME}; without one every declaration is your own"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A declaration that pyroify wrote: where it stands, and the digest of what it says."""

    path: str
    cls: str
    site: str
    digest: str
    named: bool = False


@dataclass(frozen=True)
class Lock:
    """What a lock holds; of one that cannot be understood nothing is trusted."""

    entries: frozenset[Entry] = frozenset()
    text: bytes | None = None
    """What the file holds; None: there is none."""
    findings: tuple[Finding, ...] = ()

    @cached_property
    def by_content(self) -> dict[tuple[str, str, str], list[Entry]]:
        """The entries by class, site and digest."""
        found: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in sorted(self.entries):
            found.setdefault((entry.cls, entry.site, entry.digest), []).append(entry)
        return found

    def find(
        self, path: str, cls: str, site: str, digest: str, existing: frozenset[str]
    ) -> Entry | None:
        """The entry of a declaration, if it is pyroify's; its file may have been moved since.

        ``existing`` are the files of the project: an entry for another file is for one that moved.
        """
        entries = self.by_content.get((cls, site, digest), [])
        moved = [entry for entry in entries if entry.path not in existing]
        here = [entry for entry in entries if entry.path == path]
        return next(iter((*here, *moved)), None)

    def holding(self, entries: Iterable[Entry]) -> bytes | None:
        """The text of a lock with other entries; as it is where these are the same."""
        wanted = frozenset(entries)
        if wanted == self.entries and (self.text is not None or not wanted):
            return self.text
        return render_lock(wanted).encode()


def read_lock(root: Path) -> Lock:
    """The lock of the project at ``root``. Never raises: what is wrong is among its findings."""
    path = root / LOCK_NAME
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return _refused(None, 1, "is not a plain file", "remove it; pyroify writes a new one")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        return _refused(None, 1, f"cannot be read: {error.strerror}", "correct its permissions")
    try:
        return parse_lock(data)
    except UnicodeDecodeError:
        return _refused(data, 1, "is not UTF-8", RESTORE)


def parse_lock(data: bytes) -> Lock:
    """The lock that ``data`` holds. Raises UnicodeDecodeError."""
    lines = [line.removesuffix("\r") for line in data.decode().split("\n")]
    version = VERSION.fullmatch(lines[0])
    if version is None or version[1] != "1":
        said = f"is of version {version[1]}" if version else "does not begin as a lock does"
        help = "use the version of pyroify that wrote it, or restore it" if version else RESTORE
        return _refused(data, 1, said, help)
    entries = set()
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        if MERGE.match(line):
            help = "keep the lines of both sides, without the marks; `pyroify rewrite` tidies up"
            return _refused(data, number, "has the marks of a merge", help)
        found = LINE.fullmatch(line)
        if found is None:
            return _refused(data, number, "has a line that is none of a lock", RESTORE)
        path, cls, site = (unquote(part, errors="surrogateescape") for part in found.groups()[:3])
        entries.add(Entry(path, cls, site, found[4], bool(found[5])))
    return Lock(frozenset(entries), data)


def render_lock(entries: Iterable[Entry]) -> str:
    """The text of a lock."""
    lines = (
        " ".join((*map(_quoted, (entry.path, entry.cls, entry.site)), entry.digest))
        + (" named" if entry.named else "")
        for entry in entries
    )
    return HEADER + "".join(f"{line}\n" for line in sorted(lines))


def _quoted(part: str) -> str:
    return quote(part, safe=READABLE, errors="surrogateescape")


def _refused(text: bytes | None, line: int, what: str, help: str) -> Lock:
    return Lock(text=text, findings=(Finding(LOCK_NAME, line, 1, BAD_LOCK, what, help),))
