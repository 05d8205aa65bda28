"""Whatever the text: a Spec or a SpecError, and every declaration written from it compiles."""

import ast
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from pyroify.catalog.constraints import CONSTRAINTS
from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.code.names import Names
from pyroify.code.write import write_value
from pyroify.migration.old_priors import free_names
from pyroify.spec.load import parse_spec
from pyroify.spec.model import Keep, Spec, SpecError
from pyroify.spec.render import Place, RenderError, render_declarations

PLACES = [
    Place("self.fc1.weight", "self.fc1", ("out_features", "in_features")),
    Place("self.w", "self", ("3", "a + b")),
    Place("self.w", "self", ()),
    Place("self.w", "self", ("3", "3"), initial="torch.zeros(3, 3)"),
    Place("self.w", "self", None, ndim=4),
    Place("self.w", "self"),
    Place("value", "module"),
]
SURROUNDINGS = {
    "PyroParam", "PyroSample", "a", "b", "constraints", "dist", "in_features", "len", "math",
    "out_features", "self", "torch", "transform_to", "value",
}  # fmt: skip


def load(text: str) -> Spec | None:
    """The spec, or None where the loader refused it as it should."""
    try:
        return parse_spec(text, "p")
    except SpecError as error:
        lines = len(re.split(r"\r\n|\n|\r", text))
        assert error.problems
        for problem in error.problems:
            assert problem.message and problem.code.startswith("PYR")
            assert 1 <= problem.position.line <= lines
            assert problem.position.column >= 1
        return None


def check_declarations(spec: Spec) -> None:
    for rule in spec.rules:
        if isinstance(rule.action, Keep):
            continue
        for place in PLACES:
            try:
                declarations = render_declarations(rule.action, place, Names())
            except RenderError as error:
                assert error.code.startswith("PYR") and error.message
                continue
            for declared in declarations:
                source = write_value(declared.value, Names())
                ast.parse(f"{declared.target} = {source}")
                assert free_names(source) <= SURROUNDINGS, source


@settings(deadline=None)
@given(st.text())
def test_any_text(text):
    load(text)


@settings(deadline=None)
@given(st.text("abc: []{}-,'\"&*|>!%@\n\t#1.0\0\x85\ufeffé", max_size=60))
def test_any_yaml_like_text(text):
    load(text)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_that_are_text(data):
    load(data.decode("latin-1"))


NUMBERS = st.sampled_from(["0", "1", "-1", "0.5", "1e-3", "1 / 0", "3", "1e400"])
VALUES = st.recursive(
    st.one_of(
        NUMBERS,
        st.sampled_from(
            ["fan_in", "fan_out", "numel", "ndim", "shape[0]", "shape[-1]", "shape[5]", "self.tau",
             "self.a.b", "self.w", "radford", "xavier", "kaiming", "kaiming(2)", "nope",
             "__import__('os')", "self"]
        ),
    ),
    lambda inner: st.one_of(
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("[{}]".format, inner),
        st.builds("({} + {})".format, inner, inner),
        st.builds("{} ** {}".format, inner, inner),
        st.builds("-{}".format, inner),
        st.builds("{}({})".format, st.sampled_from(["sqrt", "exp", "log", "open"]), inner),
        st.builds("Normal({}, {})".format, inner, inner),
    ),
    max_leaves=5,
)  # fmt: skip
DISTRIBUTION = st.builds(
    lambda name, values: f"{name}({', '.join(values)})",
    st.sampled_from([*DISTRIBUTIONS, "LKJ", "Nope", "sqrt"]),
    st.lists(VALUES, max_size=4),
)


@st.composite
def well_formed(draw: st.DrawFn) -> str:
    """A distribution with as many arguments as it needs, each of a plausible kind."""
    row = draw(st.sampled_from(sorted(DISTRIBUTIONS.values(), key=lambda row: row.name)))
    optional = {name for choice in row.choices for name in choice}
    chosen = {draw(st.sampled_from(choice)) for choice in row.choices}
    arguments = []
    for parameter in row.parameters:
        if parameter.name in optional - chosen or (draw(st.booleans()) and parameter.default):
            continue
        if parameter.kind == "distribution":
            value = draw(st.sampled_from(["Normal(0, 1)", "Categorical([0.5, 0.5])"]))
        elif parameter.event_dim == 2:
            value = draw(st.sampled_from(["1", "[[1, 0], [0, 1]]", "self.tau"]))
        elif parameter.event_dim == 1:
            value = draw(st.sampled_from(["1", "[0.5, 0.5]", "[0.2, 0.3, 0.5]", "self.tau"]))
        else:
            value = draw(st.sampled_from(["1", "0.5", "2", "self.tau", "radford", "fan_in * 2"]))
        arguments.append(f"{parameter.name}={value}")
    return f"{row.name}({', '.join(arguments)})"


@settings(deadline=None)
@given(DISTRIBUTION | well_formed(), st.booleans())
def test_any_prior(distribution, centered):
    flag = "" if centered else "\n    centered: false"
    spec = load(f'version: 1\npriors:\n  - match: "**"\n    sample: "{distribution}"{flag}\n')
    if spec is not None:
        check_declarations(spec)


@settings(deadline=None)
@given(VALUES)
def test_any_value(value):
    spec = load(f'version: 1\npriors:\n  - match: "**"\n    value: "{value}"\n')
    if spec is not None:
        check_declarations(spec)


@settings(deadline=None)
@given(
    st.sampled_from([*CONSTRAINTS, "independent", "nope"]),
    st.lists(NUMBERS, max_size=2),
    st.sampled_from(["keep", "exp", "softplus", "unconstrained", "0", "1", "0.5", "-1", "x"]),
)
def test_any_param(name, arguments, init):
    call = f"{name}({', '.join(arguments)})" if arguments else name
    spec = load(f'version: 1\npriors:\n  - match: "**"\n    param: "{call}"\n    init: {init}\n')
    if spec is not None:
        check_declarations(spec)
