"""What ``pyroify.lock`` tells apart: declarations that pyroify wrote, and those of the user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import LayOut, Run

from pyroify.lock import HEADER, Entry, Lock, parse_lock, read_lock, render_lock

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(n))
        self.fc = nn.Linear(n, 1)

    def forward(self, x):
        return self.fc(x * self.gain)
"""
LOOPED = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.body = getattr(nn, kind)(3, 3)

    def forward(self, x):
        return self.body(x)
"""
OTHER = "self.gain = PyroSample(dist.Laplace(0.0, 5.0).expand([n]).to_event(1))"
GAIN = "self.gain = PyroSample(dist.Normal(0.0, 1.0).expand([n]).to_event(1))"
WRAPPED = (
    "self.gain = PyroSample(\n            dist.Normal(0, 1).expand((n,)).to_event()\n        )"
)


def spec(scale: float, *more: str) -> str:
    rules = [f'{{match: "**", sample: "Normal(0, {scale})"}}', *more]
    return "version: 1\npriors:\n" + "".join(f"  - {rule}\n" for rule in rules)


def converted(lay_out: LayOut, run: Run, source: str = NET) -> Path:
    root = lay_out({"net.py": source, "pyroify.yaml": spec(1)})
    assert run("rewrite").code == 0
    return root


def text(root: Path, name: str = "net.py") -> str:
    return (root / name).read_text()


def locked(root: Path) -> list[str]:
    return [entry.site for entry in sorted(read_lock(root).entries)]


# What is written


def test_every_declaration_has_a_line(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    head, *lines = text(root, "pyroify.lock").splitlines()
    assert head == HEADER.rstrip("\n")
    assert lines == sorted(lines)
    assert [line.split(" ")[:3] for line in lines] == [
        ["net.py", "Net", site] for site in ("fc.bias", "fc.weight", "gain")
    ]


def test_nothing_to_say_needs_no_lock(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"net.py": "import torch\n", "pyroify.yaml": spec(1)})
    assert run("rewrite").code == 0
    assert not (root / "pyroify.lock").exists()


def test_a_second_run_changes_nothing(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    before = text(root), text(root, "pyroify.lock")
    assert run("rewrite", "--check").code == 0
    assert run("rewrite").code == 0
    assert (text(root), text(root, "pyroify.lock")) == before


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_looking_writes_no_lock(lay_out: LayOut, run: Run, option: str) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": spec(1)})
    assert run("rewrite", option).code == 1
    assert not (root / "pyroify.lock").exists()


def test_the_lock_is_published_with_the_files_or_not_at_all(
    lay_out: LayOut, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": spec(1)})
    rename, renamed = os.replace, []

    def fail_at_the_lock(old: str | Path, new: str | Path) -> None:
        if Path(new).name == "pyroify.lock":
            raise OSError(28, "No space left on device")
        renamed.append(Path(new).name)
        rename(old, new)

    monkeypatch.setattr(os, "replace", fail_at_the_lock)
    assert run("rewrite").code == 2
    assert "net.py" in renamed
    assert text(root) == NET
    assert not (root / "pyroify.lock").exists()


def test_standard_input_leaves_the_lock_alone(
    lay_out: LayOut, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = converted(lay_out, run)
    lay_out({"pyroify.yaml": spec(2)})
    lock = text(root, "pyroify.lock")
    with (root / "net.py").open() as given:
        monkeypatch.setattr("sys.stdin", given)
        ended = run("rewrite", "-", "--stdin-filename", "net.py")
    assert ended.out.count("dist.Normal(0.0, 2.0)") == 3  # it knows what pyroify wrote
    assert text(root, "pyroify.lock") == lock


# Whose a declaration is


def test_ours_follow_the_spec(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    lay_out({"pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert text(root).count("dist.Normal(0.0, 2.0)") == 3
    assert run("rewrite", "--check").code == 0


def test_without_a_lock_all_are_the_users(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    before = text(root)
    (root / "pyroify.lock").unlink()
    lay_out({"pyroify.yaml": spec(2)})
    ended = run("plan")
    assert ended.out.count("own (the code declares it)") == 3
    assert run("rewrite").code == 0
    assert text(root) == before
    assert not (root / "pyroify.lock").exists()


def test_what_is_edited_is_the_users_from_then_on(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    (root / "net.py").write_text(text(root).replace(GAIN, OTHER))
    ended = run("rewrite", "--check")
    assert (ended.code, "would rewrite pyroify.lock" in ended.out) == (1, True)
    assert run("rewrite").code == 0
    assert locked(root) == ["fc.bias", "fc.weight"]
    (root / "net.py").write_text(text(root).replace(OTHER, GAIN))  # edited back: his all the same
    lay_out({"pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert GAIN in text(root)
    assert text(root).count("dist.Normal(0.0, 2.0)") == 2


def test_a_formatter_makes_nothing_the_users(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    (root / "net.py").write_text(text(root).replace(GAIN, WRAPPED))
    assert run("rewrite", "--check").code == 0
    lay_out({"pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert text(root).count("dist.Normal(0.0, 2.0)") == 3


def test_a_rule_without_wildcards_reaches_the_users(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    (root / "net.py").write_text(text(root).replace(GAIN, OTHER))
    named = "{match: Net.gain, sample: 'Cauchy(0, 1)'}"
    lay_out({"pyroify.yaml": spec(1, named)})
    assert run("rewrite").code == 0
    assert "self.gain = PyroSample(dist.Cauchy(0.0, 1.0)" in text(root)
    assert run("rewrite", "--check").code == 0
    # What stands in its place now is no prey of wildcards, wherever these stand.
    lay_out({"pyroify.yaml": spec(1, named, "{match: '**', sample: 'Normal(0, 4)'}")})
    assert run("rewrite").code == 0
    assert "self.gain = PyroSample(dist.Cauchy(0.0, 1.0)" in text(root)
    assert text(root).count("dist.Normal(0.0, 4.0)") == 2
    assert run("rewrite", "--check").code == 0


@pytest.mark.parametrize("source", [NET, LOOPED])
def test_ours_whose_rule_is_gone_are_not_passed_over(
    lay_out: LayOut, run: Run, source: str
) -> None:
    converted(lay_out, run, source)
    lay_out({"pyroify.yaml": "version: 1\npriors: []\n"})
    ended = run("rewrite")
    assert (ended.code, "PYR067" in ended.out) == (1, True)


def test_a_loop_of_ours_follows_the_spec_until_it_is_edited(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run, LOOPED)
    lay_out({"pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert "dist.Normal(0.0, 2.0)" in text(root)
    edited = text(root).replace("dist.Normal(0.0, 2.0)", "dist.Laplace(0.0, 2.0)")
    (root / "net.py").write_text(edited)
    lay_out({"pyroify.yaml": spec(3)})
    ended = run("rewrite")
    assert text(root) == edited
    assert "PYR078" in ended.out
    assert run("rewrite", "--check").code == 0


def test_a_function_of_ours_that_is_edited_stays(lay_out: LayOut, run: Run) -> None:
    source = LOOPED + LOOPED.replace("from torch import nn\n", "").replace("Net", "Twin")
    root = converted(lay_out, run, source)
    assert "def declare_priors(root):" in text(root)
    lay_out({"pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert "dist.Normal(0.0, 2.0)" in text(root)
    edited = text(root).replace("dist.Normal(0.0, 2.0)", "dist.Laplace(0.0, 2.0)")
    (root / "net.py").write_text(edited)
    lay_out({"pyroify.yaml": spec(3)})
    run("rewrite")
    assert text(root) == edited


def test_helpers_that_are_edited_stay(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": spec(1) + "options: {follow_module: true}\n"})
    assert run("rewrite").code == 0
    edited = text(root).replace("self.place = None", "self.place = None  # never moved so far\n")
    edited = edited.replace("return self.moved", "return (self.moved)")
    edited = edited.replace('"""A prior that follows', '"""My prior that follows')
    (root / "net.py").write_text(edited)
    assert run("rewrite").code == 0
    assert text(root) == edited
    assert run("rewrite", "--check").code == 0


def test_new_parameters_beside_the_users(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    (root / "pyroify.lock").unlink()
    (root / "net.py").write_text(
        text(root).replace(
            "        self.fc =",
            "        self.shift = nn.Parameter(torch.ones(n))\n        self.fc =",
        )
    )
    lay_out({"pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert "self.shift = PyroSample(dist.Normal(0.0, 2.0)" in text(root)
    assert text(root).count("dist.Normal(0.0, 1.0)") == 3
    assert locked(root) == ["shift"]


# Which files


def test_a_partial_run_keeps_the_entries_of_others(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"one.py": NET, "two.py": NET, "pyroify.yaml": spec(1)})
    assert run("rewrite", "one.py").code == 0
    assert run("rewrite", "two.py").code == 0
    assert locked(root) == ["fc.bias", "fc.weight", "gain"] * 2
    (root / "one.py").unlink()
    (root / "three.py").write_text(NET)
    assert run("rewrite", "three.py").code == 0
    assert {entry.path for entry in read_lock(root).entries} == {"one.py", "two.py", "three.py"}
    assert run("rewrite").code == 0
    assert {entry.path for entry in read_lock(root).entries} == {"two.py", "three.py"}


def test_a_file_that_is_moved_stays_ours(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    (root / "net.py").rename(root / "nets.py")
    lay_out({"pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert text(root, "nets.py").count("dist.Normal(0.0, 2.0)") == 3
    assert {entry.path for entry in read_lock(root).entries} == {"nets.py"}


def test_a_copy_is_the_users(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    lay_out({"copy.py": text(root), "pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert text(root, "copy.py").count("dist.Normal(0.0, 1.0)") == 3
    assert text(root).count("dist.Normal(0.0, 2.0)") == 3


def test_a_file_that_does_not_parse_keeps_its_entries(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    whole, lock = text(root), text(root, "pyroify.lock")
    (root / "net.py").write_text(whole + "def (:\n")
    run("rewrite")
    assert text(root, "pyroify.lock") == lock


def test_paths_with_blanks_and_letters_of_all_kinds(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"my nets/größe.py": NET, "pyroify.yaml": spec(1)})
    assert run("rewrite").code == 0
    assert text(root, "pyroify.lock").isascii()
    assert run("rewrite", "--check").code == 0
    lay_out({"pyroify.yaml": spec(2)})
    assert run("rewrite").code == 0
    assert text(root, "my nets/größe.py").count("dist.Normal(0.0, 2.0)") == 3


# A lock that is none


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"# pyroify.lock 2 - later\n", 1, "is of version 2"),
        (b"", 1, "does not begin as a lock does"),
        (b"net.py Net gain 0123456789abcdef\n", 1, "does not begin as a lock does"),
        (HEADER.encode() + b"net.py Net gain\n", 2, "has a line that is none of a lock"),
        (HEADER.encode() + b"net.py Net gain 0123456789abcdeg\n", 2, "none of a lock"),
        (HEADER.encode() + b"net.py Net gain 0123456789abcdef rm\n", 2, "none of a lock"),
        (HEADER.encode() + b"\n<<<<<<< HEAD\n", 3, "has the marks of a merge"),
        (b"\xff\xfe", 1, "is not UTF-8"),
    ],
)
def test_what_cannot_be_understood_is_not_trusted(
    lay_out: LayOut, run: Run, content: bytes, line: int, said: str
) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": spec(1), "pyroify.lock": content})
    ended = run("rewrite")
    assert ended.code == 2
    assert f"pyroify.lock:{line}:1 PYR242 " in ended.out
    assert said in ended.out
    assert text(root) == NET
    assert (root / "pyroify.lock").read_bytes() == content


def test_a_link_is_no_lock(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": spec(1), "victim.txt": HEADER})
    (root / "pyroify.lock").symlink_to(root / "victim.txt")
    assert run("rewrite").code == 2
    assert text(root, "victim.txt") == HEADER
    assert text(root) == NET


def test_a_lock_names_nothing_to_write(lay_out: LayOut, run: Run) -> None:
    strange = render_lock(
        [
            Entry("../../etc/passwd", "Net", "gain", "0" * 16),
            Entry(".git/config", "*", "*", "0" * 16),
            Entry("net.py", "Net", "gain", "0" * 16),
        ]
    )
    root = lay_out({"net.py": NET, "pyroify.yaml": spec(1), "pyroify.lock": strange})
    assert run("rewrite").code == 0
    assert {entry.path for entry in read_lock(root).entries} == {"net.py"}
    assert sorted(path.name for path in root.iterdir()) == [
        *(".pyroify", "net.py", "pyroify.lock", "pyroify.yaml")
    ]


def test_lines_in_any_order_and_of_any_ending_are_one_lock(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    head, *lines = text(root, "pyroify.lock").splitlines()
    merged = "\r\n".join([head, *reversed(lines), lines[0], ""]).encode()
    (root / "pyroify.lock").write_bytes(merged)
    assert run("rewrite", "--check").code == 0
    assert run("rewrite").code == 0
    assert (root / "pyroify.lock").read_bytes() == merged


def test_what_is_read_is_what_was_written() -> None:
    entries = frozenset(
        Entry(path, cls, site, "0123456789abcdef", named)
        for path in ("a.py", "a b/%.py", "ü\udcff.py", "new\nline.py")
        for cls in ("Net", "make.<locals>.Net", "*")
        for site in ("fc.weight", "layers.*.weight", "*", "net['a b']")
        for named in (False, True)
    )
    assert parse_lock(render_lock(entries).encode()).entries == entries


def test_a_lock_without_entries_that_never_was_is_not_written() -> None:
    assert Lock().holding([]) is None


# Before there is a spec


def test_init_writes_down_what_the_code_declares_and_leaves_it(lay_out: LayOut, run: Run) -> None:
    source = NET.replace("import torch\n", "import pyro.distributions as dist\nimport torch\n")
    source = source.replace("from torch", "from pyro.nn import PyroModule, PyroSample\nfrom torch")
    source = source.replace("nn.Module", "PyroModule")
    source = source.replace("nn.Parameter(torch.ones(n))", "PyroSample(dist.HalfCauchy(2.0))")
    root = lay_out({"net.py": source})
    assert run("init").code == 0
    starter = text(root, "pyroify.yaml")
    assert "  #   net:Net.gain: PyroSample(dist.HalfCauchy(2.0))\n" in starter
    assert '- match: "net:Net.gain"' not in starter
    assert run("rewrite").code == 0
    assert "self.gain = PyroSample(dist.HalfCauchy(2.0))\n" in text(root)
    assert locked(root) == ["fc.bias", "fc.weight"]


def test_a_site_is_said_to_be_the_users(lay_out: LayOut, run: Run) -> None:
    root = converted(lay_out, run)
    (root / "pyroify.lock").unlink()
    assert "decided by no rule: the code declares it itself" in run("plan", "Net.gain").out
    lay_out({"pyroify.yaml": "version: 1\npriors:\n  - {match: Net.g*, keep: true}\n"})
    ended = run("rewrite")
    assert (ended.code, "PYR152 rule 1 (Net.g*) meets only" in ended.out) == (0, True)
