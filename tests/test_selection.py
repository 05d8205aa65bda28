"""Which classes are converted, and which are refused for another one's sake."""

from __future__ import annotations

from typing import Any

import pytest

from pyroify.decide.selection import (
    ClassNode,
    Container,
    Graph,
    Key,
    Reason,
    company,
    needed,
    spread,
)


def key(name: str) -> Key:
    return "net.py", name


def keys(names: str) -> tuple[Key, ...]:
    return tuple(map(key, names.split()))


LINKS = ("bases", "holds", "handed", "reached", "declares", "puts_into", "own_members")


def vertex(**given: Any) -> ClassNode:
    """A class; names of others are written with blanks between them."""
    for link in LINKS:
        if link in given:
            given[link] = keys(given[link])
    if "takes_over" in given:
        given["takes_over"] = frozenset(keys(given["takes_over"]))
    return ClassNode(**given)


def graph(**classes: ClassNode) -> Graph:
    return Graph({key(name): found for name, found in classes.items()})


RANDOM = vertex(is_random=True)
PLAIN = vertex()


def holds(names: str, **more: Any) -> ClassNode:
    return vertex(holds=names, **more)


def derives(names: str, **more: Any) -> ClassNode:
    return vertex(bases=names, **more)


COMPANY = {
    "nothing is wanted without a seed": (graph(A=PLAIN, B=holds("A")), "", ""),
    "a seed is wanted": (graph(A=RANDOM, B=PLAIN), "A", "A"),
    "what holds a seed is wanted": (graph(A=RANDOM, B=holds("A")), "A", "A B"),
    "at any remove": (graph(A=RANDOM, B=holds("A"), C=holds("B")), "A", "A B C"),
    "in whatever order they stand": (graph(C=holds("B"), B=holds("A"), A=RANDOM), "A", "A B C"),
    "what derives from a seed is wanted": (graph(A=RANDOM, B=derives("A")), "A", "A B"),
    "so are the bases of a seed": (graph(A=PLAIN, B=derives("A", is_random=True)), "B", "A B"),
    "what a holder holds beside it is wanted": (
        graph(A=RANDOM, B=PLAIN, C=holds("A B")),
        "A",
        "A B C",
    ),
    "not what has no parameters": (
        graph(A=RANDOM, B=vertex(has_parameters=False), C=holds("A B")),
        "A",
        "A C",
    ),
    "what a seed holds is wanted": (graph(A=PLAIN, B=holds("A", is_random=True)), "B", "A B"),
    "what is not related stays": (graph(A=RANDOM, B=PLAIN, C=holds("B")), "A", "A"),
    "what a loop comes upon counts as held": (
        graph(A=RANDOM, B=vertex(reached="A")),
        "A",
        "A B",
    ),
    "what something unknown makes may be of any class": (
        graph(A=RANDOM, B=vertex(holds_unknown=True), C=holds("B"), D=PLAIN),
        "A",
        "A B C",
    ),
    "and of none where nothing is wanted": (graph(A=vertex(holds_unknown=True)), "", ""),
    "what is only handed over does not": (graph(A=RANDOM, B=vertex(handed="A")), "A", "A"),
    "an interface is never wanted": (
        graph(A=vertex(is_interface=True), B=derives("A", is_random=True)),
        "B",
        "B",
    ),
    "not even as a seed": (graph(A=vertex(is_interface=True)), "A", ""),
    "nor does it pass anything on": (
        graph(A=vertex(is_interface=True), B=derives("A"), C=derives("A B", is_random=True)),
        "C",
        "B C",
    ),
    "a class that holds itself is no trouble": (graph(A=holds("A", is_random=True)), "A", "A"),
    "nor are two that hold each other": (graph(A=holds("B"), B=holds("A")), "A", "A B"),
    "classes outside of the project are passed over": (
        graph(A=holds("Gone", is_random=True, bases="Other")),
        "A",
        "A",
    ),
}


@pytest.mark.parametrize("name", COMPANY)
def test_company(name: str) -> None:
    classes, seeds, expected = COMPANY[name]
    assert company(classes, frozenset(keys(seeds))) == frozenset(keys(expected))


COMPANY_WITHOUT = {
    "a refused seed is not wanted": (graph(A=RANDOM, B=PLAIN), "A", "A", ""),
    "nor what holds only that": (graph(A=RANDOM, B=holds("A")), "A", "A", ""),
    "nor what derives from it": (graph(A=RANDOM, B=derives("A")), "A", "A", ""),
    "what holds another seed as well is": (
        graph(A=RANDOM, B=RANDOM, C=holds("A B")),
        "A B",
        "A",
        "B C",
    ),
    "what holds a refused class that draws what a base declares is": (
        graph(A=RANDOM, B=derives("A"), C=holds("B")),
        "A",
        "B",
        "A C",
    ),
    "a refused holder passes nothing on": (
        graph(A=RANDOM, B=holds("A C"), C=PLAIN),
        "A",
        "B",
        "A",
    ),
}


@pytest.mark.parametrize("name", COMPANY_WITHOUT)
def test_company_without_refused_classes(name: str) -> None:
    classes, seeds, refused, expected = COMPANY_WITHOUT[name]
    found = company(classes, frozenset(keys(seeds)), frozenset(keys(refused)))
    assert found == frozenset(keys(expected))


NEEDED = {
    "a random class": (graph(A=RANDOM, B=PLAIN), "", "A"),
    "one that was declared before": (graph(A=vertex(is_declared=True)), "", "A"),
    "their holders": (graph(A=RANDOM, B=holds("A")), "", "A B"),
    "none that is refused": (graph(A=RANDOM, B=RANDOM), "A", "B"),
    "none for the sake of one that is refused": (graph(A=RANDOM, B=holds("A")), "A", ""),
    "no plain class": (graph(A=PLAIN, B=holds("A")), "", ""),
}


@pytest.mark.parametrize("name", NEEDED)
def test_needed(name: str) -> None:
    classes, refused, expected = NEEDED[name]
    assert needed(classes, frozenset(keys(refused))) == frozenset(keys(expected))


def beside(members: str, random: bool = False, **more: Any) -> ClassNode:
    return vertex(containers=(Container(keys(members), random),), **more)


SPREAD = {
    "nothing is refused without a reason": (graph(A=RANDOM, B=holds("A")), "", ""),
    "a base takes what derives from it along": (
        graph(A=RANDOM, B=derives("A")),
        "A",
        "B BASE A",
    ),
    "a base of a base as well": (
        graph(A=RANDOM, B=derives("A"), C=derives("B A")),
        "A",
        "B BASE A, C BASE B",
    ),
    "not what asks for nothing, beside one that does": (
        graph(A=PLAIN, B=derives("A"), C=derives("B A", is_random=True), D=derives("B A")),
        "A",
        "C BASE A",
    ),
    "what holds something random asks": (
        graph(A=PLAIN, B=derives("A", holds="C"), C=RANDOM, D=derives("A")),
        "A",
        "B BASE A, C HOLDER B",
    ),
    "what derives from a class of which nothing is known asks": (
        graph(A=vertex(is_unknown=True), B=derives("A"), C=RANDOM),
        "A",
        "B BASE A",
        "A B C",
    ),
    "what may hold anything asks": (
        graph(A=PLAIN, B=derives("A", holds_unknown=True), C=RANDOM, D=derives("A")),
        "A",
        "B BASE A",
        "A B C D",
    ),
    "what a class that converts needs is refused all the same": (
        graph(A=PLAIN, B=derives("A"), C=holds("B", is_random=True)),
        "A",
        "B BASE A",
        "A B C",
    ),
    "a subclass takes a base along whose own parameters are drawn": (
        graph(A=vertex(is_random=True, draws_own=True), B=derives("A")),
        "B",
        "A INHERITS B",
    ),
    "not one whose layers alone are": (graph(A=RANDOM, B=derives("A")), "B", ""),
    "nor where the user took the subclass out": (
        graph(A=vertex(is_random=True, draws_own=True), B=derives("A", is_suppressed=True)),
        "B",
        "",
    ),
    "a subclass that puts plain layers into containers of the base": (
        graph(A=RANDOM, B=derives("A", adds_to_inherited=True)),
        "B",
        "A ADDS B",
    ),
    "that is of no matter to a base without random layers": (
        graph(A=PLAIN, B=derives("A", adds_to_inherited=True)),
        "B",
        "",
    ),
    "a subclass that uses what is random as it cannot be": (
        graph(A=RANDOM, B=derives("A", takes_over="A")),
        "B",
        "A TAKES_OVER B",
    ),
    "a metaclass at odds with the base's new one": (
        graph(A=RANDOM, B=derives("A", needs_metaclass=True)),
        "B",
        "A METACLASS B",
    ),
    "not where the base has that already": (
        graph(A=vertex(is_random=True, is_pyro=True), B=derives("A", needs_metaclass=True)),
        "B",
        "",
    ),
    "a holder takes what it holds along": (
        graph(A=RANDOM, B=holds("A")),
        "B",
        "A HOLDER B",
    ),
    "and what that holds": (
        graph(A=RANDOM, B=holds("A"), C=holds("B")),
        "C",
        "B HOLDER C, A HOLDER B",
    ),
    "so does one that is handed it": (
        graph(A=RANDOM, B=vertex(handed="A")),
        "B",
        "A HOLDER B",
    ),
    "not a class that is a PyroModule by itself": (
        graph(A=vertex(is_random=True, is_pyro_by_itself=True), B=holds("A")),
        "B",
        "",
    ),
    "a class is there too where something that derives from it is held": (
        graph(A=RANDOM, B=derives("A"), C=holds("B")),
        "C",
        "A HOLDER C, B BASE A",
    ),
    "but not with plain parameters": (
        graph(A=PLAIN, B=derives("A", is_random=True), C=holds("B")),
        "C",
        "B HOLDER C",
    ),
    "what is refused does not take its holder along": (graph(A=RANDOM, B=holds("A")), "A", ""),
    "not even in a container without random layers": (
        graph(A=RANDOM, B=beside("A", is_random=True)),
        "A",
        "",
    ),
    "beside random layers in one container it does": (
        graph(A=RANDOM, B=beside("A", random=True, is_random=True)),
        "A",
        "B BESIDE A",
    ),
    "and beside a class that is converted": (
        graph(A=RANDOM, B=RANDOM, C=beside("A B", is_random=True)),
        "A",
        "C BESIDE A",
    ),
    "not beside one that is refused as well": (
        graph(A=RANDOM, B=RANDOM, C=beside("A B", is_random=True)),
        "A B",
        "",
    ),
    "nor one that a base makes a PyroModule": (
        graph(A=RANDOM, B=derives("A"), C=beside("B", random=True, is_random=True)),
        "B",
        "",
    ),
    "in a container that is the class itself": (
        graph(A=RANDOM, B=vertex(own_members="A", is_random=True)),
        "A",
        "B MEMBER A",
    ),
    "and one of a base that changes for no other class": (
        graph(A=PLAIN, B=derives("A", is_random=True), C=vertex(own_members="B", is_random=True)),
        "B",
        "C MEMBER B",
    ),
    "where that changes for no one else it stays": (
        graph(A=RANDOM, B=vertex(own_members="A", holds="A")),
        "A",
        "",
    ),
    "what declares parameters of a refused class": (
        graph(A=RANDOM, B=vertex(declares="A", is_random=True)),
        "A",
        "B DECLARES A",
    ),
    "what puts layers into an instance of a refused class": (
        graph(A=RANDOM, B=vertex(puts_into="A", is_random=True)),
        "A",
        "B AROUND A",
    ),
    "not where these stay": (graph(A=RANDOM, B=vertex(puts_into="A")), "A", ""),
    "the first reason is the one that is said": (
        graph(A=RANDOM, B=derives("A", declares="A", is_random=True)),
        "A",
        "B BASE A",
    ),
    "a base before a holder": (
        graph(A=RANDOM, B=derives("A"), C=holds("B")),
        "A C",
        "B BASE A",
    ),
    "what is not wanted is not refused": (graph(A=PLAIN, B=holds("A")), "B", "", "B"),
    "a refusal goes round a circle once": (
        graph(A=holds("B", is_random=True), B=holds("A", is_random=True)),
        "A",
        "B HOLDER A",
    ),
    "one class that is left costs what it may hold": (
        graph(A=RANDOM, B=RANDOM, Left=vertex(handed="A")),
        "Left",
        "A HOLDER Left",
    ),
}


def written(names: str) -> list[tuple[Key, Reason, Key]]:
    found = [item.split() for item in names.split(", ") if item]
    return [(key(one), Reason[reason], key(other)) for one, reason, other in found]


@pytest.mark.parametrize("name", SPREAD)
def test_spread(name: str) -> None:
    classes, refused, expected, *wanted = SPREAD[name]
    all_wanted = frozenset(keys(wanted[0])) if wanted else frozenset(classes.classes)
    found = spread(classes, all_wanted, frozenset(keys(refused)))
    assert [(item.key, item.reason, item.other) for item in found] == written(expected)


def test_reasons_name_the_other_class() -> None:
    assert all("{other}" in reason.value for reason in Reason)
