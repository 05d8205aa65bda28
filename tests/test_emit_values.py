"""Whatever a spec says is data in the script and its tests, never code."""

import ast
import datetime
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from emit_cases import svi
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroify.emit import EmitError, Emitted, emit_script
from pyroify.emit.layout import mapping_statement, wrap_call
from pyroify.emit.values import (
    Unwritable,
    docstring_text,
    is_name,
    is_reference,
    write_argument,
    write_value,
)
from pyroify.spec.load import parse_spec
from pyroify.spec.model import SpecError

MARK = "PWNED"
HOSTILE = [
    f'x""" + str({MARK}()) + """',
    f"x''' + str({MARK}()) + '''",
    f'x" + {MARK}() + "',
    f"x' + {MARK}() + '",
    f'\\" + {MARK}() #',
    f"\\' + {MARK}() #",
    f'\\\\" + {MARK}() #',
    f"x\n{MARK}()\n",
    f"x\r{MARK}()\r\n",
    f"x\u2028{MARK}()\u2029\x85\x0c\x1c",
    f"x\\N{{DIGIT ONE}}{MARK}",
    f"{{{MARK}()}}",
    f"{{{{ {MARK}() }}}}{{% raw %}}{{# {MARK} #}}",
    f"{{{{ s.__class__.__mro__ }}}}{MARK}",
    f"__import__('os').system('{MARK}')",
    f"a, b={MARK}()",
    f"a), {MARK}(",
    f"\0{MARK}\ud800\udfff\U000e0001\u202e",
    f"{MARK}\\",
    f"net.*{MARK}[!\"']",
    f"targets=rows.targets {MARK}",
    f"%s %({MARK})s ${MARK} ${{{MARK}}}",
]


ALL = " ".join(HOSTILE)
SUFFIXES = {"output": ".py", "source": ".csv", "init": ".pt"}
"""What a text must end in, to be taken at all."""


def assert_only_in_strings(source: str) -> None:
    """The mark is in no name, nor in a program that a string of the source holds."""
    if MARK not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant):
            is_program = isinstance(node.value, str) and re.search(
                r"^import .*torch", node.value, re.M
            )
            assert not is_program or MARK not in node.value
            continue
        for value in vars(node).values():
            assert not isinstance(value, str) or MARK not in value


TEXTS = st.text() | st.sampled_from(HOSTILE) | st.text(st.sampled_from("'\"\\\n{}#(),="))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(TEXTS | st.integers(), inner)
    ),
)


class TestWriting:
    @pytest.mark.parametrize(
        ("value", "source"),
        [
            (None, "None"),
            (True, "True"),
            (-3, "-3"),
            (0.1, "0.1"),
            (math.inf, 'float("inf")'),
            (-math.inf, 'float("-inf")'),
            (math.nan, 'float("nan")'),
            ("plain", '"plain"'),
            ("it's", '"it\'s"'),
            ('say "so"', "'say \"so\"'"),
            ("a\\'b", '"a\\\\\'b"'),
            ("line\n", '"line\\n"'),
            ("\ud800\0\u202e", '"\\ud800\\x00\\u202e"'),
            (b"\xff'", 'b"\\xff\'"'),
            ([1, [2.5, "x"]], '[1, [2.5, "x"]]'),
            ((1,), "(1,)"),
            ((), "()"),
            ({"a": {"b-c": None}}, '{"a": {"b-c": None}}'),
        ],
    )
    def test_looks_as_one_would_write_it(self, value: Any, source: str) -> None:
        assert write_value(value) == source

    @pytest.mark.parametrize(
        "value",
        [
            datetime.date(2020, 1, 1),
            datetime.datetime(2020, 1, 1, 12),
            {1, 2},
            Decimal(1),
            1j,
            object(),
            [{"a": [object()]}],
            {"a": datetime.date(2020, 1, 1)},
            {frozenset(): 1},
        ],
    )
    def test_what_has_no_source_is_refused(self, value: Any) -> None:
        with pytest.raises(Unwritable):
            write_value(value)

    @settings(max_examples=150, deadline=None)
    @given(VALUES)
    def test_gives_the_value_back_and_names_nothing_but_float(self, value: Any) -> None:
        source = write_value(value)
        assert source.isprintable()
        names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
        assert names <= {"float"}
        # Each value has its own repr, and nan equals nothing.
        assert repr(eval(source, {"float": float, "__builtins__": {}})) == repr(value)

    @given(st.dictionaries(TEXTS, VALUES, max_size=4), st.integers(0, 12))
    @settings(max_examples=80, deadline=None)
    def test_stays_so_when_it_is_wrapped(self, values: dict[str, Any], indent: int) -> None:
        sources = {key: write_value(value) for key, value in values.items()}
        scope = {"float": float, "f": lambda **named: named}
        arguments = ", ".join(write_argument(key, text) for key, text in sources.items())
        for statement in (
            wrap_call(f"found = f({arguments})", indent),
            mapping_statement("found", sources, indent),
        ):
            exec(f"if True:\n{' ' * (indent + 1)}{statement}", scope)
            assert repr(scope["found"]) == repr(values)

    @given(TEXTS)
    def test_a_docstring_ends_where_it_did(self, text: str) -> None:
        source = f'"""Written from {docstring_text(text)} (sha256 0)."""\n'
        (statement,) = ast.parse(source).body
        assert isinstance(statement, ast.Expr)
        assert ast.literal_eval(statement.value) == f"Written from {text} (sha256 0)."

    @given(st.text() | st.sampled_from(["class", "None", "__debug__", "ﬁ", "a²", "a\n", "self"]))
    def test_a_name_is_what_python_binds(self, text: str) -> None:
        try:
            bound = [node for node in ast.walk(ast.parse(f"{text} = 1"))]
            compile(f"{text} = 1", "", "exec")
            is_one = sum(isinstance(node, ast.Name) for node in bound) == 1 and "=" not in text
            is_one = is_one and not re.search(r"[\s;#()\[\].:*,\\\"']", text)
        except (SyntaxError, ValueError):
            is_one = False
        assert is_name(text) is is_one
        assert is_reference(f"{text}:{text}") is is_one


def emit(section: dict[str, Any], spec_name: str = "pyroify.yaml") -> Emitted:
    return emit_script(section, spec_name=spec_name, spec_text="version: 1\n")


def emitted_or_refused(section: dict[str, Any], key: str) -> None:
    """Refused at ``key``, or written without the mark leaving its strings."""
    try:
        emitted = emit(section)
    except EmitError as error:
        paths = [problem.path for problem in error.problems]
        assert any(path.startswith(key) or key.startswith(path) for path in paths), paths
        return
    assert_only_in_strings(emitted.script)
    assert_only_in_strings(emitted.test)


FULL: dict[str, Any] = {
    "output": "scripts/train.py",
    "model": {
        "class": "net:Net",
        "kwargs": {"size": 3, "deep": [{"a": ["x", {"b": "y"}]}]},
        "path": ["src"],
    },
    "data": {
        "source": "rows.csv",
        "inputs": {"x": "first", "z": "second"},
        "targets": ["y"],
        "weights": "w",
        "shape": [[1], [2]],
        "rows": 10,
        "batch_size": 4,
        "test": 0.2,
        "validation": 0.1,
        "standardize": "columns",
    },
    "likelihood": {"family": "normal", "scale": "LogNormal(0, 1)"},
    "guide": {"family": "AutoNormal", "init": "weights.pt", "init_scale": 0.1},
    "optimizer": {"name": "Adam", "lr": 0.1, "schedule": "cosine", "clip_norm": 1.0},
    "elbo": {
        "name": "auto",
        "particles": 1,
        "local_reparametrization": True,
        "kl_weight": 1.0,
        "kl_warmup": 1,
    },
    "nuts": {"samples": 10, "warmup": 10},
    "ensemble": {"members": 3},
    "laplace": {"structure": "full", "sites": ["net.a"], "prior": "evidence", "draws": 9},
    "handlers": {"condition": {"net.a": 1.0}, "reparam": ["net.b"], "do": ["net.c"]},
    "engine": "torch",
    "devices": "one",
    "epochs": 2,
    "steps": "auto",
    "choose": "best",
    "patience": 1,
    "arviz": True,
    "logger": "none",
    "leave_out": [],
    "seed": 1,
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value and every key of a section."""
    if path:
        yield path
    if isinstance(value, dict | list):
        children = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in children:
            yield from places(child, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any, is_key: bool) -> Any:
    """``value`` with ``new`` in place of what ``path`` leads to, or of its last key."""
    if not path:
        return new
    head, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if is_key and not rest and isinstance(copy, dict):
        return {(new if key == head else key): item for key, item in copy.items()}
    copy[head] = replaced(value[head], tuple(rest), new, is_key)
    return copy


def test_the_section_with_every_setting_is_fine() -> None:
    emit(FULL)
    assert set(FULL) == {
        name.split(".")[1].split(":")[0]
        for name in re.findall(r"choose from (.*)", said({**FULL, "wrong": 1}))[0].split(", ")
        for name in [f"svi.{name}"]
    }


def said(section: dict[str, Any]) -> str:
    with pytest.raises(EmitError) as caught:
        emit(section)
    return str(caught.value)


@pytest.mark.parametrize("path", list(places(FULL)), ids=lambda path: ".".join(map(str, path)))
def test_a_hostile_text_anywhere_stays_text_or_is_refused_there(path: tuple[Any, ...]) -> None:
    key = ".".join(["svi", *(str(part) for part in path if isinstance(part, str))])
    text = ALL + SUFFIXES.get(str(path[-1]), "")
    emitted_or_refused(replaced(FULL, path, text, is_key=False), key)
    emitted_or_refused(replaced(FULL, path, [{text: [text]}], is_key=False), key)
    if isinstance(path[-1], str):
        parent = key.rpartition(".")[0]
        emitted_or_refused(replaced(FULL, path, text, is_key=True), parent)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"source": "rows.npz", "inputs": ["x"], "targets": "y"}},
        {"data": {"source": "rows.parquet", "targets": "y"}},
        {"data": {"source": "models.data:Pairs", "inputs": ["x"], "targets": "y"}},
        {"guide": {"family": "last_layer", "blocks": "*"}},
        {"likelihood": {"family": "zero_inflated_poisson", "gate": "Beta(1, 1)"}},
        {"engine": "svi", "handlers": {"condition": "net.a"}},
        {"engine": "nuts", "handlers": {"reparam": "net.a"}},
        {"engine": "lightning"},
    ],
    ids=str,
)
def test_so_does_one_in_what_another_template_reads(changes: dict[str, Any]) -> None:
    for path in places(changes):
        key = ".".join(["svi", *(str(part) for part in path if isinstance(part, str))])
        text = ALL + SUFFIXES.get(str(path[-1]), "")
        emitted_or_refused(svi(**replaced(changes, path, text, is_key=False)), key)


@pytest.mark.parametrize("text", HOSTILE)
def test_each_hostile_text_alone(text: str) -> None:
    kwargs = {"size": text, "deep": [{text: [text, {"b": text}]}]}
    section = {
        **FULL,
        "model": {"class": "net:Net", "kwargs": kwargs, "path": [text]},
        "data": {
            "source": f"{text}.csv",
            "inputs": {text: text},
            "targets": [text, text],
            "validation": 0.1,
        },
        "guide": {"init": f"{text}.pt"},
        "handlers": {"condition": {text: 1.0}, "reparam": [text], "do": [text]},
    }
    emitted = emit(section)
    assert_only_in_strings(emitted.script)
    assert_only_in_strings(emitted.test)
    assert built(emitted.script) == kwargs


@pytest.mark.parametrize("text", HOSTILE)
def test_the_name_of_the_spec_is_text_too(text: str) -> None:
    emitted = emit(svi(), spec_name=text)
    assert_only_in_strings(emitted.script)
    assert_only_in_strings(emitted.test)
    assert ast.get_docstring(ast.parse(emitted.script), clean=False)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("path", list(places(FULL)), ids=lambda path: ".".join(map(str, path)))
def test_numbers_that_are_not_finite(path: tuple[Any, ...], number: float) -> None:
    """As an argument of the class they may make sense; elsewhere they are refused."""
    section = replaced(FULL, path, number, is_key=False)
    try:
        emitted = emit(section)
    except EmitError:
        assert path[:2] != ("model", "kwargs") or path == ("model", "kwargs")
        return
    assert path[:2] == ("model", "kwargs")
    for text in (emitted.script, emitted.test):
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        assert not names & {"inf", "nan"}
        assert 'float("' in text


def built(script: str, name: str = "Net") -> dict[str | None, Any]:
    """The arguments that the script gives the class."""
    call = next(
        node
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    )
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}


def test_keywords_of_python_are_given_by_mapping() -> None:
    kwargs = {"class": 1, "ﬁ": 2, "__debug__": 3, "size": 4}
    emitted = emit(svi(model={"class": "net:Net", "kwargs": kwargs}))
    assert built(emitted.script)["size"] == 4
    for name in ("class", "ﬁ", "__debug__"):
        assert f'**{{"{name}": ' in emitted.script


@pytest.mark.parametrize("key", ["a-b", "x, y=evil()", "a b", "", "1", "a.b", "a\n", "*", "**k"])
def test_what_is_no_name_of_an_argument_is_refused_at_its_place(key: str) -> None:
    kwargs = {"size": 1, key: 2}
    (problem,) = refused(svi(model={"class": "net:Net", "kwargs": kwargs}))
    assert problem == (f"svi.model.kwargs.{key}", f"{key!r} is not the name of an argument")


def refused(section: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(EmitError) as caught:
        emit(section)
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_a_value_without_source_is_refused_at_its_place() -> None:
    kwargs = {"when": [datetime.date(2020, 1, 1)]}
    (problem,) = refused(svi(model={"class": "net:Net", "kwargs": kwargs}))
    assert problem[0] == "svi.model.kwargs.when"


@pytest.mark.parametrize("name", ["class:Net", "net:def", "a.import:Net", "net:Nét²", "net:Net\n"])
def test_a_class_must_have_a_name_that_can_be_imported(name: str) -> None:
    (problem,) = refused(svi(model={"class": name}))
    assert problem[0] == "svi.model.class"


@pytest.mark.parametrize("name", ["Model", "Path", "rt", "torch", "len", "Any", "TASK"])
def test_a_class_may_have_a_name_that_the_script_uses(name: str) -> None:
    section = svi(model={"class": f"net:{name}", "kwargs": {"size": 3}})
    script = emit(section).script
    (alias,) = re.findall(rf"^from net import {name} as (\w+)", script, re.MULTILINE)
    assert built(script, alias) == {"size": 3}
    assert script.count(alias) == 2


def test_a_source_of_data_may_have_a_name_that_the_script_uses() -> None:
    script = emit(svi(data={"source": "pairs:flags"})).script
    assert "from pairs import flags as project_flags" in script
    assert "return SOURCE.read(project_flags(), flags.batch_size)" in script
    assert (
        "return SOURCE.read(rows(), flags.batch_size)"
        in emit(svi(data={"source": "pairs:rows"})).script
    )


class TestYaml:
    """As a spec file says it: only plain values come out of it."""

    def kwargs(self, text: str) -> Any:
        spec = parse_spec(f"version: 1\nsvi: {{model: {{kwargs: {text}}}}}\n", "pyroify.yaml")
        model = spec.svi["model"]
        assert isinstance(model, dict)
        return model["kwargs"]

    def test_dates_are_text(self) -> None:
        read = self.kwargs("{a: 2020-01-01, b: 2020-01-01 12:00:00Z}")
        assert read == {"a": "2020-01-01", "b": "2020-01-01 12:00:00Z"}

    def test_tags_that_say_what_a_value_is_anyway(self) -> None:
        read = self.kwargs(
            "{a: !!str 5, b: !!int 5, c: ! 5, d: !!seq [1], e: !!map {}, f: !!str ~}"
        )
        assert read == {"a": "5", "b": 5, "c": "5", "d": [1], "e": {}, "f": "~"}

    @pytest.mark.parametrize(
        "tag",
        [
            "!foo",
            "!!python/object/apply:os.system",
            "!!python/name:os.system",
            "!!binary",
            "!!timestamp",
            "!!set",
            "!!omap",
            "!!int",
            "!<tag:example.org,2000:x>",
        ],
    )
    @pytest.mark.parametrize("value", ["x", "[x]", "{x: y}"])
    def test_other_tags_are_refused_where_they_stand(self, tag: str, value: str) -> None:
        with pytest.raises(SpecError) as caught:
            self.kwargs(f"{{a: {tag} {value}}}")
        (problem,) = caught.value.problems
        assert (problem.position.line, problem.code) == (2, "PYR103")
        assert problem.excerpt[problem.position.column - 1 :].startswith(tag)

    @pytest.mark.parametrize(
        "text",
        [
            "[&a [x, x, x], "
            + ", ".join(
                f"&{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in pairwise("abcdefghi")
            )
            + "]",
            "&a [*a]",
            "&a {b: *a}",
            "[" * 80 + "]" * 80,
        ],
        ids=["laughs", "list in itself", "mapping in itself", "deep"],
    )
    def test_what_blows_up_is_refused(self, text: str) -> None:
        with pytest.raises(SpecError, match="nested too deep, or aliases repeat too much"):
            self.kwargs(text)


@pytest.mark.parametrize("text", HOSTILE[:8])
def test_the_program_of_the_tests_gets_its_arguments_as_data(tmp_path: Path, text: str) -> None:
    """What the emitted test runs in a child, with a class that keeps what it is given."""
    test = emit(svi(model={"class": "net:Net", "kwargs": {"k": {"deep": [text]}}})).test
    assigned = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("arguments", "original")
    }
    assert assigned["arguments"] == {"k": {"deep": [text]}}
    compile(assigned["original"], "original", "exec")
    assert "Net(**arguments)" in assigned["original"]


def test_the_values_need_no_torch() -> None:
    code = "import sys, pyroify.emit.values; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_is_served_reads_the_names_of_arguments_from_a_file() -> None:
    emitted = emit(FULL)
    assert "rt.export(*load_trained(flags), flags, KEYWORDS)" in emitted.script
    serving = emitted.runtime["svi_runtime/results/serving.py"]
    assert 'zip(exported["keywords"], inputs' in serving
