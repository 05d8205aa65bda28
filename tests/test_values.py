"""The lattice of abstract values by itself."""

from pyroify.syntax.values import Argument, Call, Name, Passed, Value, walk


def test_what_is_held_many_times_over_is_walked_once() -> None:
    value: Value = Argument("x")
    for line in range(100):  # x = f(x, x), line after line
        value = Call(Name("f"), line, 0, (Passed(value), Passed(value)), "f")
    found = list(walk(value))
    assert len([item for item in found if isinstance(item, Call)]) == 100
    assert found[0] is value and Argument("x") in found
