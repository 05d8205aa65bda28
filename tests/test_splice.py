"""What no edit concerns is not parsed, and comes back byte for byte."""

import random
from collections.abc import Callable
from pathlib import Path

import libcst as cst
import pytest

import pyroify.rewrite
from pyroify.edits import kinds
from pyroify.pipeline import FileResult, rewrite_project
from pyroify.rewrite import RewriteError, rewrite_source
from pyroify.source import read_source
from pyroify.spec.load import parse_spec
from pyroify.splice import OF_WHOLE, LostError, Skeleton, skeleton_of
from pyroify.transforms import transforms

ROOT = Path(__file__).resolve().parents[1]
SPEC = parse_spec(
    "version: 1\npriors:\n  - match: '**'\n    sample: Normal(0, 1)\n", "pyroify.yaml"
)
NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        return self.layer(x)
"""
HEAD = f"from torch import nn\n\n\n{NET}"


@pytest.fixture
def rewritten(lay_out: Callable) -> Callable[[bytes], FileResult]:
    """What a rewrite of a file with a network makes of it."""

    def rewrite(content: bytes) -> FileResult:
        [result] = rewrite_project(lay_out({"net.py": content}), ["net.py"], SPEC).results
        return result

    return rewrite


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that LibCST is given."""
    texts: list[str] = []
    parse = cst.parse_module
    monkeypatch.setattr(cst, "parse_module", lambda text: (texts.append(text), parse(text))[1])
    return texts


@pytest.mark.parametrize(
    "beside",
    [
        b"def page():\n\x0c\n    return 1\n",
        b"\x0c\ndef page():\n    return 1\n\n\x0c\n",
        b'TABLE = """a\rb"""\ncell = TABLE\n',
        b"def tabs():\n\tif 1:\n\t        return [ 1 ,2]  \n  # odd\n\treturn  2 ;\n",
        b"if 1 :\n  def two() : return  3\n  # in\n # out\n",
        b"x  =  1 ;y=2 # both\nz = (1,\n2)\n",
        "名 = 'ä'  # ä\ndef f(): return 名\n".encode(),
        b"".join(b"# %d\n" % number for number in range(50)),
        b"class Empty: pass\n@ staticmethod\nasync def wait(): await x  # soon\n",
        b"match 1:\n  case 1: pass\n",
        b"try: x = 1\nexcept * ValueError:\n      x = 2\n      # end\n",
    ],
)
def test_what_stands_beside_is_untouched(
    rewritten: Callable[[bytes], FileResult], beside: bytes
) -> None:
    for before in (
        f"{HEAD}\n\n".encode() + beside,
        b"from torch import nn\n" + beside + NET.encode(),
    ):
        after = rewritten(before).after
        assert after is not None
        assert b"PyroModule[nn.Linear]" in after
        assert beside.rstrip(b"\n") in after


@pytest.mark.parametrize("encoding", ["latin-1", "shift_jis", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_line_ends_stay(
    rewritten: Callable[[bytes], FileResult], encoding: str, end: str
) -> None:
    cookie = "" if encoding == "utf-8-sig" else f"# coding: {encoding}\n"
    letter = "ä" if encoding != "shift_jis" else "名"
    beside = f"def name():\n    return '{letter}', [ 1 ]\n".replace("\n", end)
    text = f"{cookie}{HEAD}\n\n".replace("\n", end) + beside
    after = rewritten(text.encode(encoding)).after
    assert after is not None
    assert after.decode(encoding).endswith(f"{end}{beside}")


def test_only_what_is_edited_is_parsed(lay_out: Callable, parsed: list[str]) -> None:
    others = "".join(
        f"\n\n# {number}\ndef f{number}(x):\n    if x:\n        return [x, {number}]\n"
        for number in range(500)
    )
    method = "\n    def more(self, x):\n" + 200 * "        x = x + [1, 2, (3, 4)]\n"
    root = lay_out({"net.py": f"{HEAD}{method}{others}"})
    [result] = rewrite_project(root, ["net.py"], SPEC).results
    assert result.changed
    # One function stands for all that follow the class, and one for the method.
    assert sum(map(len, parsed)) < len(HEAD) + 300


def test_any_part_of_a_file_can_be_hidden() -> None:
    random.seed(0)
    for path in sorted((ROOT / "pyroify" / "transforms").rglob("*.py")):
        text = read_source(path, path.name).text
        lines = text.split("\n")
        for count in (0, 1, 5):
            places = [random.randint(1, len(lines)) for _ in range(count)]
            edits = [kinds.Expressions(line, 0, "a", "b") for line in places]
            skeleton = skeleton_of(text, edits)
            assert skeleton.filled(skeleton.text) == text
            assert cst.parse_module(skeleton.text).code == skeleton.text
            now = skeleton.text.split("\n")
            for line in places:
                if line in skeleton.lines:
                    assert now[skeleton.lines[line] - 1] == lines[line - 1]


def test_transforms_that_may_look_at_a_whole_definition_are_known() -> None:
    """`skeleton_of` says what each of them looks at; a new one has to be thought of there."""
    definitions = (cst.ClassDef, cst.FunctionDef)
    wanted = {name: transform.NODE for name, transform in transforms().items()}
    found = {
        name
        for name, node in wanted.items()
        if any(kind in definitions for kind in (node if isinstance(node, tuple) else (node,)))
    }
    whole = {kind.__name__.lower() for kind in OF_WHOLE}
    assert found == whole | {"bases", "constructors", "declarations", "decorators", "methods"}


class TestGuards:
    def test_a_part_that_is_lost_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pyroify.rewrite, "_drop_unused", lambda *_: "x = 1\n")
        with pytest.raises(RewriteError) as caught:
            rewrite_source(f"import os\n{NET}", [kinds.Imports(1, 0, (("torch", "", ""),))])
        assert caught.value.code == "PYR209"

    def test_a_part_that_is_there_twice_is_lost(self) -> None:
        skeleton = skeleton_of(f"import os\n{NET}", ())
        assert skeleton.filled(skeleton.text) == f"import os\n{NET}"
        with pytest.raises(LostError):
            skeleton.filled(skeleton.text + skeleton.text)

    def test_a_file_that_does_not_compile_elsewhere_is_refused(self) -> None:
        with pytest.raises(RewriteError) as caught:
            rewrite_source(f"{NET}\n\nreturn\n", [kinds.Imports(1, 0, (("torch", "", ""),))])
        assert caught.value.code == "PYR209"

    def test_text_that_looks_like_a_stand_in_is_none(self) -> None:
        text = f"_hidden_0_ = '_hidden_0_'\n{NET}"
        skeleton = skeleton_of(text, ())
        assert skeleton.filled(skeleton.text) == text

    @pytest.mark.parametrize("reader", ["nn", "ｎｎ", "'nn.Linear'"])  # noqa: RUF001
    def test_an_import_that_only_hidden_code_reads_stays(self, reader: str) -> None:
        base = "class Net(nn.Module):\n    size = 1\n"
        other = f"\n\ndef other() -> {reader}:\n    return 'something that is long'\n"
        edit = kinds.Bases(4, 0, ((0, "PyroModule"),), (), "")
        head = "from torch import nn\n\n\n"
        assert rewrite_source(head + base + other, [edit]).startswith(head)
        assert "import" not in rewrite_source(head + base, [edit])

    def test_names_that_a_file_exports_stay(self) -> None:
        base = "class Net(nn.Module):\n    size = 1\n"
        edit = kinds.Bases(1 + 1, 0, ((0, "PyroModule"),), (), "")
        exported = "\n\nif 1 == 1 or 2 == 2 or 3 == 3:\n    __all__ = ['nn', 'Net']\n"
        assert "import nn" in rewrite_source(f"from torch import nn\n{base}{exported}", [edit])

    @pytest.mark.parametrize(
        "first",
        [
            "def first():\r\n  return (1, 2,\n    3, 4, 5, 6, 7, 8, 9)\n",
            "if 1 == 1:\n  x = 'two spaces'\nelse:\n      x = 'and six of them'\n",
            "class First:\n  x = 'two spaces'\ny = 'a statement that ends the run'\n",
        ],
    )
    def test_indents_and_line_ends_of_what_is_new_are_those_of_the_whole_file(
        self, monkeypatch: pytest.MonkeyPatch, first: str
    ) -> None:
        text = f"{first}{NET}"
        line = text[: text.index("class Net")].count("\n") + 1
        edits = [
            kinds.Imports(1, 0, (("torch", "", ""),)),
            kinds.Declarations(line + 5, 4, ("self.new = 1",), (), (), 8, 100, None),
        ]
        made = rewrite_source(text, edits)
        monkeypatch.setattr("pyroify.splice.skeleton_of", lambda text, _: Skeleton(text))
        assert made == rewrite_source(text, edits)
