"""`pyroify report --html`: what is on the page, that it is one file, and whose text it may hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import LayOut, Run

SPEC = """\
version: 1
include: ["nets/**"]
priors:
  - {match: "**", sample: "Normal(0, 1)"}
  - {match: "Net.fc.weight", sample: "Laplace(0, fan_in ** -0.5)"}
  - {match: "Net.angle", sample: "VonMises(0, 1)"}
"""
NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
        self.angle = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return self.fc(x) + self.angle.sum()
"""
REFUSED = """\
from torch import nn


class Refused(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.body = getattr(nn, kind)(3)

    def named_children(self):
        return iter(())
"""
FILES = {"nets/net.py": NET, "later/net.py": NET, "pyroify.yaml": SPEC}
VOID = {"meta", "input", "hr"}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, its text, and the rows of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[dict[str, str]] = []
        self.lines: dict[str, list[str]] = {"old": [], "new": []}
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = tag, dict(attrs)
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)
        if tag == "tr":
            self.rows.append({})
        if (side := self._side()) and "data-number" in element[1]:
            self.lines[side].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.open]
        if "script" in tags:
            self.scripts.append(data)
        elif "style" in tags:
            self.styles.append(data)
        else:
            self.texts.append(data)
        labels = [attrs["data-label"] for _, attrs in self.open if "data-label" in attrs]
        if labels and "details" not in tags[tags.index("td") :]:
            row = self.rows[-1]
            row[str(labels[0])] = f"{row.get(str(labels[0]), '')} {data.strip()}".strip()
        if (side := self._side()) and any("data-number" in attrs for _, attrs in self.open):
            self.lines[side][-1] += data

    def _side(self) -> str | None:
        classes = [attrs.get("class") for _, attrs in self.open]
        return next((side for side in ("old", "new") if side in classes), None)


def read(root: Path, run: Run, *args: str, code: int = 0) -> Page:
    ended = run("report", "--html", "out.html", *args)
    assert ended.code == code, ended.err
    assert ended.out == "" and "wrote out.html: " in ended.err
    return Page((root / "out.html").read_text(encoding="utf-8"))


def sites(page: Page) -> list[dict[str, str]]:
    return [row for row in page.rows if "site" in row]


def test_sites_and_priors_are_those_of_the_plan(lay_out: LayOut, run: Run) -> None:
    root = lay_out(FILES)
    planned = run("plan").out
    rows = [re.split(r" {2,}", line.strip()) for line in planned.splitlines()]
    wanted = [row for row in rows if row[0] in ("fc.weight", "fc.bias", "angle")]
    found = sites(read(root, run))
    assert [list(row.values())[:5] for row in found] == wanted
    assert [(row["becomes"], row["density"]) for row in found] == [
        ("sample VonMises(0, 1)", "not drawn: no formula for VonMises"),
        ("sample Laplace(0, fan_in ** -0.5)", "-6 x / (fan_in ** -0.5) 6"),
        ("sample Normal(0, 1)", "-4 4"),
    ]


def test_a_curve_stands_there_once(lay_out: LayOut, run: Run) -> None:
    root = lay_out(FILES | {"nets/other.py": NET.replace("Net(", "Other(")})
    page = read(root, run)
    made = [attrs["id"] for tag, attrs in page.elements if tag == "symbol"]
    used = [attrs["href"] for tag, attrs in page.elements if tag == "use"]
    assert sorted(f"#{name}" for name in made) == sorted(set(used))
    assert len(used) == 5 and len(made) == 2


def test_what_is_not_random_has_no_curve(lay_out: LayOut, run: Run) -> None:
    spec = 'version: 1\npriors:\n  - {match: "Net.fc.*", keep: true}\n'
    found = sites(read(lay_out(FILES | {"pyroify.yaml": spec}), run))
    assert [row["density"] for row in found] == ["-"] * len(found) and found


def test_folders_have_the_shares_of_status(lay_out: LayOut, run: Run) -> None:
    root = lay_out(FILES | {"nets/refused.py": REFUSED})
    run("rewrite", "nets/net.py")
    status = json.loads(run("status", "--format", "json").out)
    shares = {entry["path"]: entry["share"] for entry in status["folders"]}
    shares["all"] = status["total"]["share"]
    page = read(root, run, code=1)
    folders = {row["folder"]: row for row in page.rows if "folder" in row}
    assert {name: row["converted"] for name, row in folders.items()} == {
        name: f"{share:.1f} %" for name, share in shares.items()
    }
    assert folders["nets"]["what there is"] == "1 converted, 1 refused"
    assert folders["later"]["what there is"] == "1 outside include"
    values = [attrs["value"] for tag, attrs in page.elements if tag == "progress"]
    assert values == [f"{share:.1f}" for share in shares.values()]


def test_each_finding_has_its_code_and_help(lay_out: LayOut, run: Run) -> None:
    root = lay_out(FILES | {"nets/refused.py": REFUSED})
    findings = json.loads(run("plan", "--format", "json").out)["findings"]
    page = read(root, run, code=1)
    assert findings
    for finding in findings:
        place = f"{finding['code']} {finding['severity']} {finding['path']}:{finding['line']}:"
        assert place in page.text
        assert finding["message"] in page.text and finding["help"] in page.text
    fates = [attrs.get("data-fate") for _, attrs in page.elements if "data-fate" in attrs]
    assert fates == ["to_convert", "refused"]


def test_changes_are_side_by_side(lay_out: LayOut, run: Run) -> None:
    root = lay_out(FILES)
    page = read(root, run)
    assert "class Net(nn.Module):" in page.lines["old"]
    assert "class Net(PyroModule):" in page.lines["new"]
    assert "class Net(nn.Module):" not in page.lines["new"]
    assert page.lines["old"] == NET.splitlines()[: len(page.lines["old"])]
    run("rewrite")
    rewritten = (root / "nets/net.py").read_text().splitlines()
    assert [line for line in page.lines["new"] if line not in rewritten] == []
    assert "Nothing is left to rewrite." in read(root, run).text


def test_a_notebook_shows_its_code(lay_out: LayOut, run: Run) -> None:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [cell | {"source": NET.splitlines(keepends=True)}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    page = read(lay_out(FILES | {"nets/net.py": "", "nets/net.ipynb": json.dumps(notebook)}), run)
    assert "class Net(PyroModule):" in page.lines["new"]


def test_the_page_loads_nothing(lay_out: LayOut, run: Run) -> None:
    root = lay_out(FILES | {"nets/refused.py": REFUSED})
    page = read(root, run, code=1)
    text = (root / "out.html").read_text()
    assert re.findall(r"https?://|@import|url\(", text) == []
    for tag, attrs in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "srcset", "data", "action", "style"} & attrs.keys()
        assert str(attrs.get("href", "#")).startswith("#")
    policy = next(str(attrs["content"]) for _, attrs in page.elements if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; ")
    for kind, said in (("style", page.styles), ("script", page.scripts)):
        assert len(said) == 1
        digest = base64.b64encode(hashlib.sha256(said[0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


HOSTILE = '</code></script><script>alert(1)</script><img src=x onerror="alert(2)">\'{{ 7 * 7 }}'
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}"


def test_a_strangers_text_stays_text(lay_out: LayOut, run: Run) -> None:
    folder = "nets/<b onclick='alert(3)'>&amp;\""
    source = NET.replace("nn.Linear(3, 1)", f"nn.Linear(3, 1)  # {HOSTILE} {TURNED} & &amp;")
    source += "\n\ndef make():\n" + "\n".join(f"    {line}" for line in NET.splitlines()[4:])
    hostile = {f"{folder}/net.py": source, f"{folder}/{TURNED}.py": NET}
    plain = read(lay_out(FILES), run)
    (Path("nets") / "net.py").unlink()
    root = lay_out(hostile)
    (root / "nets" / "net\udcff.py").write_text(REFUSED)
    page = read(root, run, code=1)
    assert folder in page.text and HOSTILE in page.text and "& &amp;" in page.text
    assert any(HOSTILE in line for line in page.lines["old"])
    assert "make.<locals>.Net to convert" in page.text
    assert TURNED not in page.text and r"\u202e" in page.text and r"\udcff" in page.text
    known = {tag for tag, _ in plain.elements} | {"article", "strong", "hr", "span"}
    assert {tag for tag, _ in page.elements} <= known
    assert not [attrs for _, attrs in page.elements if any(name[:2] == "on" for name in attrs)]
    assert (page.scripts, page.styles) == (plain.scripts, plain.styles)


def test_an_older_page_is_replaced_and_no_other_file(lay_out: LayOut, run: Run) -> None:
    root = lay_out(FILES)
    read(root, run)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert read(root, run).text
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    ended = run("report", "--html", "nets/net.py")
    assert ended.code == 2 and "nets/net.py:1:1 PYR237 is there already" in ended.err
    assert "name another file with --html" in ended.err
    assert (root / "nets/net.py").read_text() == NET


def test_a_page_that_cannot_be_written(lay_out: LayOut, run: Run) -> None:
    lay_out(FILES)
    ended = run("report", "--html", "nowhere/out.html")
    assert ended.code == 2 and "nowhere/out.html" in ended.err and "Traceback" not in ended.err


def test_of_some_paths(lay_out: LayOut, run: Run) -> None:
    root = lay_out(FILES | {"nets/refused.py": REFUSED})
    assert "Refused" not in read(root, run, "nets/net.py").text


@pytest.mark.parametrize(("option", "code"), [([], 2), (["--allow-unmatched"], 0)])
def test_a_rule_that_matches_nothing(
    lay_out: LayOut, run: Run, option: list[str], code: int
) -> None:
    spec = 'version: 1\npriors:\n  - {match: "Gone.weight", keep: true}\n'
    root = lay_out(FILES | {"pyroify.yaml": spec})
    page = read(root, run, *option, code=code)
    assert ("PYR150" in page.text) == (not option)
