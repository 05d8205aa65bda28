"""Parameters that a class puts into an instance of another class: ``self.stem.extra = ...``.

The other class does not know them, and has declared its own by then: the holder declares these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pyroify.code.statements import Statement, guarded
from pyroify.decide.sites import OTHER, InstanceSite, Sites, measured
from pyroify.decide.visible import declare_layer
from pyroify.program.attributes.puts import InstanceStore
from pyroify.program.placements import AccessPath, Single, subpath
from pyroify.spec.match import Decision
from pyroify.spec.model import Keep


def declare_added(puts: Sequence[InstanceStore], sites: Sites) -> Iterator[Statement]:
    """Declarations of the parameters that are put into instances; what has none is said."""
    for put in puts:
        decided = {sites.consult_in(cls, put.name).action for cls in put.owners}
        if put.is_named and len(decided) == 1:
            declare = _declare if put.instance is None else _declare_layer
            for where in put.places:
                yield from declare(put, where, sites)
        else:
            _report(put, sites)


def _declare_layer(put: InstanceStore, where: AccessPath, sites: Sites) -> Iterator[Statement]:
    assert put.instance is not None
    there = where.attribute(put.name)
    single = Single(replace(there, line=put.line, guards=(), loops=()), put.instance)
    statements = declare_layer(single, sites)
    test = "" if put.is_certain else f'hasattr({where.target}, "{put.name}")'
    yield from where.wrap(guarded(test, statements))


def _declare(put: InstanceStore, where: AccessPath, sites: Sites) -> Iterator[Statement]:
    path, target = subpath(where.path, put.name), f"{where.target}.{put.name}"
    states = {made.frozen for made in put.parameters}
    decision = sites.decide(path, line=put.line, frozen=states == {True})
    place = measured(target, where.target)
    made = sites.declarations(decision.action, place, put.line, put.column)
    sites.record(path, decision, made[-1].value if made else None, put.line, put.column)
    if not made:
        return
    sites.lent += [InstanceSite(cls.key, put.name) for cls in put.owners]
    there = f'getattr({where.target}, "{put.name}", None)'
    tests = [] if put.is_certain else [sites.is_parameter(there)]
    if sites.asks_for_frozen(path, decision, maybe=states != {False}):
        tests.append(f"{target}.requires_grad")
    yield from where.wrap(guarded(" and ".join(tests), made))


def put_message(name: str, cls: str, maybe: bool = False) -> str:
    """What to say of what is put into an instance of a class, or what may be one."""
    what = "what has a computed name" if name == "*" else name
    owner = f"{'what may be ' if maybe else ''}an instance of {cls}"
    return f"{what} is put into {owner}, where no declaration reaches it"


def _report(put: InstanceStore, sites: Sites) -> None:
    """Say of what no declaration reaches that it stays, if a rule is about it."""
    names = [put.name] if put.parameters else [subpath(put.name, OTHER)]
    if put.name == "*":
        names = list(sites.names_mentioned)
    random = [
        cls.cls.name
        for cls in put.owners
        if any(not isinstance(sites.consult_in(cls, name).action, Keep) for name in names)
    ]
    if random and put.line not in sites.summary.ignored_lines:
        message = put_message(put.name, random[0], put.maybe)
        help = f"declare it in {random[0]}, or put it into what self has under a name"
        sites.report(put.line, put.column, "PYR079", message, help)
        inner = put.name if put.parameters else subpath(put.name, "**")
        for around in [where.path for where in put.places] or ["**"]:
            kept = Decision(Keep(), None)
            path = around if (around, inner) == ("**", "*") else subpath(around, inner)
            sites.record(path, kept, None, put.line, put.column)
