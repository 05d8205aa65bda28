"""Importing the versions of a project that verify compares."""

from __future__ import annotations

import pytest

from pyroify.verify.making.tree import Imports, Tree


def test_what_a_failed_package_lacks_is_the_reason_for_all_that_need_it(tmp_path):
    (tmp_path / "shop_of_vaes").mkdir()
    for name, source in {
        "__init__": "from .base import Base\nimport a_package_that_is_not_there\n",
        "base": "class Base: pass\n",
        "first": "from shop_of_vaes import Base\nclass First(Base): pass\n",
        "second": "from shop_of_vaes import Base\nclass Second(Base): pass\n",
        "alone": "class Alone: pass\n",
    }.items():
        (tmp_path / "shop_of_vaes" / f"{name}.py").write_text(source)
    tree = Tree(tmp_path)
    with Imports().of(tree):
        for name in ("first", "second"):
            with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
                tree.load(f"shop_of_vaes/{name}.py", f"shop_of_vaes.{name}", name.title())
        assert tree.load("shop_of_vaes/alone.py", "shop_of_vaes.alone", "Alone").__name__ == "Alone"


def test_modules_of_no_version_are_looked_at_once(tmp_path, monkeypatch):
    looked = []
    tree = Tree(tmp_path)
    monkeypatch.setattr(tree, "_holds", lambda module: bool(looked.append(module)))
    imports = Imports()
    with imports.of(tree):
        pass
    assert looked
    looked.clear()
    with imports.of(tree):
        pass
    assert not looked
