"""Which files have to do with one: the whole way through packages that only hand names on."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pyroify.program.closure import Closures, Reached
from pyroify.program.names import ModuleNames

HANDS_ON = "from .a import A\nfrom .b import B as Renamed\nfrom .stars import *\n"
FILES = {
    "pkg/a.py": "class A: pass\n",
    "pkg/b.py": "from .deep import D\nclass B: pass\n",
    "pkg/deep.py": "class D: pass\n",
    "pkg/stars.py": "class S: pass\n",
    "pkg/own.py": "class O: pass\n",
}


def around(files: Mapping[str, str], *selected: str) -> Reached:
    codes = {path: text.encode() for path, text in sorted(files.items())}
    return Closures(ModuleNames([*codes]), codes).around(selected)


def used_by(line: str, package: str = HANDS_ON) -> set[str]:
    """What is entered for a file with such an import, itself left out."""
    files = FILES | {"pkg/__init__.py": package, "use.py": f"{line}\n"}
    return {*around(files, "use.py").entered} - {"use.py"}


ALL = {"pkg/__init__.py", "pkg/a.py", "pkg/b.py", "pkg/deep.py", "pkg/stars.py"}
USES = {
    "a name": ("from pkg import A", {"pkg/a.py"}),
    "a name under another": ("from pkg import A as Renamed", {"pkg/a.py"}),
    "one that the package renames": ("from pkg import Renamed", {"pkg/b.py", "pkg/deep.py"}),
    "one of a star": ("from pkg import S", {"pkg/stars.py"}),
    "several": ("from pkg import (  # both\n    A,\n    S,\n)", {"pkg/a.py", "pkg/stars.py"}),
    "a module": ("from pkg import own", {"pkg/own.py"}),
    "a module by its name": ("from pkg.own import O", {"pkg/own.py"}),
    "what is not found": ("from pkg import Gone", ALL),
    "everything": ("from pkg import *", ALL),
    "the package": ("import pkg", ALL),
    "the package beside others": ("import os, pkg as p", ALL),
}


@pytest.mark.parametrize(("line", "entered"), USES.values(), ids=USES)
def test_a_package_is_passed_through_name_by_name(line: str, entered: set[str]) -> None:
    assert used_by(line) == entered


USING = {
    "defines something with it": "def make(): return A()\n",
    "changes it": "A.forward = None\n",
    "lists it in a table": "TABLE = {'a': A}\n",
    "may use what a star brings": "print(S)\n",
    "reads all names": "NAMES = [*globals()]\n",
    "is broken": "class (\n",
}


@pytest.mark.parametrize("more", USING.values(), ids=USING)
def test_a_package_that_uses_what_it_imports_is_entered(more: str) -> None:
    assert used_by("from pkg import A", HANDS_ON + more) == ALL


PASSING = {
    "puts lists together": "from . import a\n__all__ = [*a.__all__, 'B']\n",
    "looks at what is installed": "import os\nfrom typing import Any\nNAME: Any = os.name\n",
    "may fail": "try:\n    from .deep import D\nexcept ImportError:\n    D = None\n",
    "defines something of its own": "def version(text): return text\nprint(version('1'))\n",
}


@pytest.mark.parametrize("more", PASSING.values(), ids=PASSING)
def test_a_package_may_do_more_with_what_is_its_own(more: str) -> None:
    assert used_by("from pkg import A", HANDS_ON + more) == {"pkg/a.py"}


def test_only_packages_are_passed_through() -> None:
    files = {"old.py": "from new import A\nfrom more import B\n", "new.py": "", "more.py": ""}
    entered = around(files | {"use.py": "from old import A\n"}, "use.py").entered
    assert entered == {"use.py", "old.py", "new.py", "more.py"}


def test_users_of_one_name_are_no_users_of_another() -> None:
    files = FILES | {
        "pkg/__init__.py": HANDS_ON,
        "of_a.py": "from pkg import A\nimport far\n",
        "of_star.py": "from pkg import S\n",
        "of_all.py": "from pkg import *\n",
        "far.py": "",
    }
    assert around(files, "pkg/a.py").entered == {"pkg/a.py", "of_a.py", "of_all.py", "far.py"} | ALL
    del files["of_all.py"]
    found = around(files, "pkg/a.py")
    assert found.entered == {"pkg/a.py", "of_a.py", "far.py"}
    assert found.passed == {"pkg/__init__.py"}


def test_a_package_is_entered_where_it_is_asked_for() -> None:
    found = around(FILES | {"pkg/__init__.py": HANDS_ON}, "pkg/__init__.py")
    assert found == Reached(frozenset(ALL))


def test_packages_that_import_one_another() -> None:
    files = {
        "one/__init__.py": "from two import N\nfrom one.inner import M\n",
        "one/inner.py": "class M: pass\n",
        "two/__init__.py": "from one import N\nfrom one import M\n",
        "use.py": "from two import M\n",
    }
    assert around(files, "use.py").entered == {"use.py", "one/inner.py"}


def test_what_others_import_is_told() -> None:
    files = FILES | {"pkg/__init__.py": "from .a import A\n", "use.py": "import pkg.own\n"}
    codes = {path: text.encode() for path, text in files.items()}
    imported = Closures(ModuleNames([*codes]), codes).imported
    assert imported == {"pkg/__init__.py", "pkg/a.py", "pkg/own.py", "pkg/deep.py"}
