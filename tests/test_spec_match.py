"""Which rule decides a site."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroify.spec.load import parse_spec
from pyroify.spec.match import (
    PatternError,
    SiteKey,
    check_pattern,
    decide,
    matches_class,
    nearest_site,
    shadowed_rules,
    tells_by_place,
    unmatched_rules,
)
from pyroify.spec.model import Keep, Rule, Spec


def spec_of(*patterns: str, extra: str = "") -> Spec:
    rules = "".join(f'  - {{match: "{pattern}", keep: true{extra}}}\n' for pattern in patterns)
    return parse_spec(f"version: 1\npriors:\n{rules}", "pyroify.yaml")


def matches(pattern: str, key: SiteKey) -> str:
    rule = Rule(0, pattern, (), Keep(), 1, 1)
    decision = decide(Spec(version=1, path="", rules=(rule,)), key)
    if decision.rule is not None:
        return "all"
    return "some" if decision.partial else "none"


def site(path: str, qualname: str = "MLP", module: str = "models.mlp", **facts) -> SiteKey:
    return SiteKey(module, qualname, path, **{"layer": "", **facts})


@pytest.mark.parametrize(
    ("pattern", "path", "extent"),
    [
        ("**", "weight", "all"),
        ("**.weight", "weight", "all"),
        ("**.weight", "fc1.weight", "all"),
        ("**.bias", "fc1.weight", "none"),
        ("MLP.**", "a.b.c.weight", "all"),
        ("MLP.*", "weight", "all"),
        ("MLP.*", "fc1.weight", "none"),
        ("MLP.fc*.weight", "fc1.weight", "all"),
        ("MLP.fc?.weight", "fc1.weight", "all"),
        ("MLP.fc?.weight", "fc12.weight", "none"),
        ("MLP.fc[12].weight", "fc2.weight", "all"),
        ("MLP.fc[!12].weight", "fc2.weight", "none"),
        ("MLP.fc[!12].weight", "fc3.weight", "all"),
        ("MLP.**.weight", "weight", "all"),
        ("MLP.**.fc.**.weight", "a.fc.b.weight", "all"),
        ("*.weight", "weight", "all"),
        ("*.weight", "fc.weight", "none"),
        ("mlp.weight", "weight", "none"),
        ("weight", "weight", "none"),
        ("models.mlp:MLP.weight", "weight", "all"),
        ("*.mlp:MLP.weight", "weight", "all"),
        ("**.mlp:MLP.weight", "weight", "all"),
        ("**:MLP.weight", "weight", "all"),
        ("mlp:MLP.weight", "weight", "none"),
        ("models:MLP.weight", "weight", "none"),
    ],
)
def test_patterns(pattern, path, extent):
    assert matches(pattern, site(path)) == extent


@pytest.mark.parametrize(
    ("pattern", "path", "extent"),
    [
        ("**", "layers.*.weight", "all"),
        ("MLP.layers.*.weight", "layers.*.weight", "all"),
        ("MLP.layers.**", "layers.*.weight", "all"),
        ("MLP.layers.0.weight", "layers.*.weight", "some"),
        ("MLP.layers.[0-2].weight", "layers.*.weight", "some"),
        ("MLP.layers.?.weight", "layers.*.weight", "some"),
        ("MLP.layers.1*.weight", "layers.*.weight", "some"),
        ("MLP.layers.0.bias", "layers.*.weight", "none"),
        ("MLP.layers.0", "layers.*.weight", "none"),
        ("MLP.rnn.weight_*", "rnn.weight_ih_l*", "all"),
        ("MLP.rnn.weight_*_l*", "rnn.weight_ih_l*", "all"),
        ("MLP.rnn.weight_ih_l0", "rnn.weight_ih_l*", "some"),
        ("MLP.rnn.*0", "rnn.weight_ih_l*", "some"),
        ("MLP.rnn.bias_ih_l0", "rnn.weight_ih_l*", "none"),
        ("MLP.*.*.weight", "layers.*.weight", "all"),
        ("MLP.layers.1.0.weight", "layers.*.*.weight", "some"),
    ],
)
def test_patterns_against_a_run_time_index(pattern, path, extent):
    assert matches(pattern, site(path)) == extent


def test_nested_class_names_have_dots():
    key = site("weight", qualname="Outer.Inner")
    assert matches("Outer.Inner.weight", key) == "all"
    assert matches("**.Inner.weight", key) == "all"
    assert matches("Inner.weight", key) == "none"


@pytest.mark.parametrize(
    ("layers", "layer", "extent"),
    [
        ("LayerNorm", "LayerNorm", "all"),
        ("nn.LayerNorm", "LayerNorm", "all"),
        ("torch.nn.LayerNorm", "LayerNorm", "all"),
        ("'BatchNorm*'", "BatchNorm2d", "all"),
        ("[LayerNorm, 'BatchNorm?d']", "BatchNorm1d", "all"),
        ("LayerNorm", "Linear", "none"),
        ("LayerNorm", "", "none"),
        ("'*'", "", "all"),
    ],
)
def test_layer(layers, layer, extent):
    spec = spec_of("**", extra=f", layer: {layers}")
    decision = decide(spec, site("norm.weight", layer=layer))
    assert (decision.rule is not None) == (extent == "all")


def test_no_rule_keeps():
    decision = decide(spec_of("Other.**"), site("weight"))
    assert (decision.action, decision.rule, decision.beaten) == (Keep(), None, ())


def test_the_last_rule_wins_and_names_those_it_beat():
    spec = spec_of("**", "MLP.**", "Other.**", "**.weight")
    decision = decide(spec, site("weight"))
    assert decision.rule == spec.rules[3]
    assert decision.beaten == (spec.rules[0], spec.rules[1])


def test_partial_rules_count_only_after_the_deciding_one():
    spec = spec_of("**.0.weight", "**.weight", "**.1.weight", "**.2.weight")
    decision = decide(spec, site("layers.*.weight"))
    assert decision.rule == spec.rules[1]
    assert decision.partial == (spec.rules[2], spec.rules[3])


@pytest.mark.parametrize(
    ("pattern", "extent"),
    [("**", "none"), ("MLP.*", "none"), ("MLP.w?", "none"), ("MLP.w1", "all")],
)
def test_a_frozen_parameter_must_be_named(pattern, extent):
    assert matches(pattern, site("w1", frozen=True)) == extent


def test_unmatched_rules():
    spec = spec_of("**", "MLP.fc.**", "**.0.weight", "Other.**")
    keys = [site("weight"), site("layers.*.weight")]
    assert unmatched_rules(spec, keys) == (spec.rules[1], spec.rules[3])
    assert unmatched_rules(spec, []) == spec.rules


def test_shadowed_rules():
    spec = spec_of("**.bias", "MLP.a.weight", "Other.**", "**.b.*", "MLP.**")
    keys = [site("a.bias"), site("a.weight"), site("b.weight", qualname="CNN")]
    assert shadowed_rules(spec, keys) == (spec.rules[0], spec.rules[1])


def test_what_cannot_be_random_is_kept_whatever_rules_say():
    spec = spec_of("MLP.a.*").barring(["models.mlp:MLP.a.weight"])
    barred = decide(spec, site("a.weight"))
    assert (barred.action, barred.spared, barred.beaten) == (Keep(), "barred", spec.rules[:1])
    assert decide(spec, site("a.bias")).spared == ""
    assert decide(spec, site("a.weight", module="other")).spared == ""


def test_rules_about_what_cannot_be_random_are_not_called_idle():
    spec = spec_of("MLP.a.*").barring(["models.mlp:MLP.a.weight", "models.mlp:MLP.b.weight"])
    assert shadowed_rules(spec, [site("a.weight")]) == ()
    assert unmatched_rules(spec, [site("a.weight")]) == ()


def test_a_rule_for_some_indices_is_not_shadowed():
    spec = spec_of("**", "**.0.weight")
    assert shadowed_rules(spec, [site("layers.*.weight"), site("weight")]) == ()


@pytest.mark.parametrize(
    ("pattern", "nearest"),
    [
        ("MLP.fc1.wieght", "MLP.fc1.weight"),
        ("models.mpl:MLP.fc1.weight", "MLP.fc1.weight"),
        ("MPL.fc1.bias", "MLP.fc1.bias"),
        ("weight", "**.weight"),
        ("*.bias", "**.bias"),
        ("Zzz.q", ""),
    ],
)
def test_nearest_site(pattern, nearest):
    keys = [site("fc1.weight"), site("fc1.bias")]
    (rule,) = unmatched_rules(spec_of(pattern), keys)
    assert nearest_site(rule, keys) == nearest


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("MLP", True),
        ("M*", True),
        ("models.mlp:MLP", True),
        ("other:MLP", False),
        ("MLP.weight", False),
        ("**", True),
    ],
)
def test_class_of_a_latent(pattern, matched):
    assert matches_class(pattern, "models.mlp", "MLP") is matched


@pytest.mark.parametrize(
    ("pattern", "offset", "message"),
    [
        ("", 0, "the pattern is empty"),
        ("a..b", 2, "two dots with nothing between, or a dot at an end"),
        (".a", 0, "two dots with nothing between, or a dot at an end"),
        ("a.", 2, "two dots with nothing between, or a dot at an end"),
        ("a:b:c", 1, "more than one ':'"),
        (":a", 0, "nothing before ':'"),
        ("a:", 2, "the pattern is empty"),
        ("a b", 1, "unexpected ' ' in a pattern"),
        ("a/b", 1, "unexpected '/' in a pattern"),
        ("Net.a b", 5, "unexpected ' ' in a pattern"),
        ("m:Net.w,b", 7, "unexpected ',' in a pattern"),
        ("fc**.weight", 2, "'**' stands for whole segments"),
        ("Net.***", 4, "'**' stands for whole segments"),
        ("Net.fc[3-1]", 6, "'[3-1]' is no set of characters"),
        ("Net.fc[", 6, "'[' is no set of characters"),
        ("Net.fc]", 6, "']' is no set of characters"),
        ("Net.[[]", 4, "'[[]' is no set of characters"),
        ("Net.[]", 4, "'[]' is no set of characters"),
    ],
)
def test_malformed_patterns(pattern, offset, message):
    with pytest.raises(PatternError) as info:
        check_pattern(pattern)
    assert (info.value.message, info.value.offset) == (message, offset)


GLOBS = st.lists(
    st.sampled_from(["a", "b", "0", "*", "?", "[ab]", "[!0-9]", "**", ".", ":", "["]), max_size=8
).map("".join)


@settings(deadline=None)
@given(GLOBS, st.text("ab0*.", min_size=1, max_size=12))
def test_a_pattern_is_refused_or_matches_something_like_its_definition(pattern, path):
    try:
        check_pattern(pattern)
    except PatternError as error:
        assert 0 <= error.offset <= len(pattern)
        return
    key = site(path)
    extent = matches(pattern, key)
    if "*" not in path:
        assert extent in ("all", "none")
        return
    # What holds for every index holds for some index; what holds for none holds for no index.
    examples = {matches(pattern, site(path.replace("*", index))) for index in ("0", "a", "b0")}
    if extent == "all":
        assert examples == {"all"}
    elif extent == "none":
        assert examples == {"none"}


@pytest.mark.parametrize(
    ("pattern", "by_place"),
    [
        ("**", False),
        ("**.bias", False),
        ("**.*bias*", False),
        ("Net.**", False),
        ("Net.body.**", False),
        ("Net.body.**.weight", False),
        ("Net.body.fc.**", False),
        ("Net.body.fc.**.weight", False),
        ("Net.body.fc.weight", False),
        ("Other.body.0.weight", False),
        ("Net.other.*.weight", False),
        ("**.norm.**", True),
        ("**.0.weight", True),
        ("Net.body.*.weight", True),
        ("Net.*.fc.weight", True),
        ("Net.body.**.fc.weight", True),
    ],
)
def test_what_only_a_place_tells(pattern, by_place):
    assert tells_by_place(spec_of(pattern).rules[0], "models", "Net.body") is by_place
