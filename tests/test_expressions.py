"""The grammar of priors: what parses, to what, how it prints, and how it is refused."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroify.spec.expressions import (
    Attribute,
    Binary,
    Call,
    Expression,
    ExpressionError,
    Items,
    Negative,
    Number,
    SiteName,
    Size,
    expand_presets,
    parse_expression,
    static_value,
    to_text,
    walk,
)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("1", Number(1)),
        ("1.", Number(1.0)),
        (".5", Number(0.5)),
        ("1e-3", Number(0.001)),
        ("1E3", Number(1000.0)),
        ("010", Number(10)),
        ("fan_in", SiteName("fan_in")),
        ("numel", SiteName("numel")),
        ("ndim", SiteName("ndim")),
        ("shape[0]", Size(0)),
        ("shape[-1]", Size(-1)),
        ("self.tau", Attribute(("tau",))),
        ("self.layer.tau", Attribute(("layer", "tau"))),
        ("-1", Negative(Number(1))),
        ("+1", Number(1)),
        ("(1)", Number(1)),
        ("[1, 2,]", Items((Number(1), Number(2)))),
        ("[[1], [2]]", Items((Items((Number(1),)), Items((Number(2),))))),
        ("radford", Call("radford")),
        ("sqrt(2)", Call("sqrt", (Number(2),))),
        ("Normal(0, scale=1)", Call("Normal", (Number(0),), (("scale", Number(1)),))),
        ("Normal(0, 1,)", Call("Normal", (Number(0), Number(1)))),
        ("1 - 2 - 3", Binary("-", Binary("-", Number(1), Number(2)), Number(3))),
        ("1 - (2 - 3)", Binary("-", Number(1), Binary("-", Number(2), Number(3)))),
        ("1 + 2 * 3", Binary("+", Number(1), Binary("*", Number(2), Number(3)))),
        ("2 ** 3 ** 4", Binary("**", Number(2), Binary("**", Number(3), Number(4)))),
        ("-2 ** 2", Negative(Binary("**", Number(2), Number(2)))),
        ("fan_in ** -0.5", Binary("**", SiteName("fan_in"), Negative(Number(0.5)))),
        ("  1  ", Number(1)),
    ],
)
def test_parses(text, tree):
    assert parse_expression(text) == tree


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "the expression ends too early"),
        ("   ", 3, "the expression ends too early"),
        ("Normal(0, 1", 11, "the expression ends too early"),
        ("1 2", 2, "unexpected '2'"),
        ("1)", 1, "unexpected ')'"),
        ("Normal(,)", 7, "expected a number, a name or a list but found ','"),
        ("f(1,,2)", 4, "expected a number, a name or a list but found ','"),
        ("1 % 2", 2, "unexpected '%'"),
        ("1 // 2", 3, "expected a number, a name or a list but found '/'"),
        ("'a'", 0, 'unexpected "\'"'),
        ("1.2.3", 0, "unexpected '1'"),
        ("1_000", 0, "unexpected '1'"),
        ("0x10", 0, "unexpected '0'"),
        ("1e400", 0, "the number is too large"),
        ("self", 0, "'self' alone is no value"),
        ("self.", 5, "the expression ends too early"),
        ("self.1", 0, "'self' alone is no value"),
        ("shape", 0, "'shape' alone is no value"),
        ("shape[x]", 6, "expected the number of a dimension but found 'x'"),
        ("shape[0", 7, "the expression ends too early"),
        ("[]", 0, "an empty list is no tensor"),
        ("f(a=1, 2)", 7, "a positional argument follows a named one"),
        ("f(a=1, a=2)", 7, "'a' is given twice"),
        ("f(1=2)", 2, "only a name can stand before '='"),
        ("f(g(1)=2)", 2, "only a name can stand before '='"),
        ("a.b", 1, "unexpected '.'"),
        ("a if b else c", 2, "unexpected 'if'"),
        ("lambda: 0", 6, "unexpected ':'"),
        ("f(*x)", 2, "expected a number, a name or a list but found '*'"),
        ("x[0]", 1, "unexpected '['"),
        ("(" * 21 + "1" + ")" * 21, 20, "the expression is nested more than 20 deep"),
        ("-" * 101 + "1", 100, "the expression has more than 100 operators"),
        ("1" + "+1" * 101, 201, "the expression has more than 100 operators"),
    ],
)
def test_refuses(text, offset, message):
    with pytest.raises(ExpressionError) as info:
        parse_expression(text)
    assert (info.value.message, info.value.offset) == (message, offset)


def test_offsets_are_those_of_the_file():
    tree = parse_expression("Normal(0, fan_in)", locate=lambda offset: offset + 100)
    assert [node.offset for node in walk(tree)] == [100, 107, 110]


@pytest.mark.parametrize(
    ("preset", "written_out"),
    [
        ("radford", "fan_in ** -0.5"),
        ("xavier", "(2 / (fan_in + fan_out)) ** 0.5"),
        ("kaiming", "(2 / fan_in) ** 0.5"),
        ("kaiming(2)", "2 * fan_in ** -0.5"),
        ("kaiming(sqrt(2))", "sqrt(2) * fan_in ** -0.5"),
        ("Normal(0, -radford / 2)", "Normal(0, -fan_in ** -0.5 / 2)"),
        ("[radford, 1]", "[fan_in ** -0.5, 1]"),
        ("exp(xavier)", "exp((2 / (fan_in + fan_out)) ** 0.5)"),
    ],
)
def test_presets(preset, written_out):
    assert to_text(expand_presets(parse_expression(preset))) == written_out


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-2 ** 2", -4.0),
        ("(1 + 2) * 3 / 4", 2.25),
        ("sqrt(16) + exp(0) - log(1)", 5.0),
        ("fan_in", None),
        ("1 + fan_in", None),
        ("self.tau", None),
        ("sqrt(numel)", None),
        ("kaiming", None),
        ("[1]", None),
    ],
)
def test_static_value(text, value):
    assert static_value(parse_expression(text)) == value


@pytest.mark.parametrize(
    "text", ["1 / 0", "log(0)", "sqrt(-1)", "(-1) ** 0.5", "10 ** 1000", "0 ** -1"]
)
def test_static_value_must_be_finite(text):
    with pytest.raises(ExpressionError, match="has no finite value"):
        static_value(parse_expression(text))


NAMES = st.sampled_from(["Normal", "HalfCauchy", "sqrt", "radford", "x"])
LEAVES = st.one_of(
    st.integers(0, 2**53 - 1).map(Number),
    st.floats(0, allow_nan=False, allow_infinity=False).map(Number),
    st.sampled_from(["fan_in", "fan_out", "numel", "ndim"]).map(SiteName),
    st.integers(-9, 9).map(Size),
    st.lists(st.sampled_from(["tau", "layer"]), min_size=1, max_size=3).map(
        lambda path: Attribute(tuple(path))
    ),
)


def branches(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    some = st.lists(inner, max_size=3).map(tuple)
    named = st.dictionaries(st.sampled_from(["loc", "scale"]), inner).map(
        lambda d: tuple(d.items())
    )
    return st.one_of(
        inner.map(Negative),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "**"]), inner, inner),
        st.builds(Call, NAMES, some, named),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: Items(tuple(items))),
    )


TREES = st.recursive(LEAVES, branches, max_leaves=12)


@settings(deadline=None)
@given(TREES)
def test_printing_and_parsing_are_inverse(tree):
    assert parse_expression(to_text(tree)) == tree


@settings(deadline=None)
@given(TREES)
def test_what_is_printed_means_the_same_in_python(tree):
    """The precedence is Python's own: arithmetic printed here is pasted into Python source."""
    try:
        value = static_value(tree)
    except ExpressionError:
        return
    if value is not None:
        functions = {"sqrt": math.sqrt, "exp": math.exp, "log": math.log}
        assert eval(to_text(tree), functions) == pytest.approx(value)


@settings(deadline=None)
@given(st.text() | st.text("()[]*/+-., =self.shapefan_in0123456789eE\n\t"))
def test_any_text_is_an_expression_or_an_expression_error(text):
    try:
        tree = parse_expression(text)
    except ExpressionError as error:
        assert 0 <= error.offset <= len(text)
        return
    assert parse_expression(to_text(tree)) == tree
