"""The plans of all fixtures and of some packages: ``python tests/plans.py HOW OUT [FOLDER ...]``.

``HOW`` is ``dispatched``, or ``undispatched``: then every function that has ``needs`` is entered,
whatever there is for it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from test_fixtures import CASES, DEFAULT_SPEC, lay_out

Plans = dict[str, str]


def plans(folders: Iterable[Path]) -> Plans:
    """What is planned of each fixture, and of the Python files of each folder, by name."""
    return {**dict(_of_fixtures()), **{str(folder): _plan(folder) for folder in folders}}


def _of_fixtures() -> Iterator[tuple[str, str]]:
    from conftest import lock_of_all

    from pyroify.lock import LOCK_NAME

    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            files = lay_out(root, case.sources)
            if case.is_ours:
                (root / LOCK_NAME).write_bytes(lock_of_all(root, files))
            yield case.name, _plan(root, case.spec)


def _plan(root: Path, spec: str = DEFAULT_SPEC) -> str:
    from pyroify.pipeline import make_plan
    from pyroify.spec.load import parse_spec

    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py"))
    return repr(make_plan(root, files, parse_spec(spec, "pyroify.yaml"), frozenset(files)))


def main() -> None:
    """Write the plans of one run."""
    how, out, *folders = sys.argv[1:]
    if how == "undispatched":
        import pyroify.dispatch

        # Before anything is loaded that asks for it.
        pyroify.dispatch.needs = lambda *traits, **nothing: lambda function: function
    Path(out).write_text(json.dumps(plans(map(Path, folders))))


if __name__ == "__main__":
    main()
