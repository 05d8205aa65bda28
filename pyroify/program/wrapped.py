"""What a base attaches, and a class puts into a container of the same name."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.program.resolve import ModuleClass
from pyroify.program.study import Study
from pyroify.program.values import Box
from pyroify.syntax.facts import ATTACHING, Assignment
from pyroify.syntax.values import Call, Path, SelfRead


def wrapped_of_bases(study: Study) -> frozenset[Path]:
    """Attributes of bases that the class puts into a container of the same name."""
    made = [item for method in study.cls.cls.methods for item in method.assignments]
    wrapping = [item for item in made if places_inside(study, item)]
    own = [item.path for item in made if item not in wrapping]
    return frozenset(item.path for item in wrapping if item.path not in own)


def places_inside(study: Study, item: Assignment) -> tuple[str, ...]:
    """Where ``self.fc = nn.Sequential(self.fc, ...)`` puts what was there."""
    args = item.value.args if isinstance(item.value, Call) else ()
    reads = [passed.value == SelfRead(item.path) for passed in args]
    if len(item.path) != 1 or item.how not in ATTACHING or not any(reads):
        return ()
    if any(passed.star or passed.keyword for passed in args):
        return ()
    is_container = isinstance(study.node(item), Box)
    return tuple(str(i) for i, read in enumerate(reads) if read and is_container)


def made_by_bases(study: Study, path: str) -> Iterator[tuple[ModuleClass, str]]:
    """The base that makes what is at a path in such a container, with the path it has there."""
    name, _, inside = path.partition(".")
    place, _, rest = inside.partition(".")
    if (name,) not in wrapped_of_bases(study):
        return
    for item in study.attached_as(name):
        if place in places_inside(study, item):
            before = f"{name}.{rest}"
            for cls in study.cls.lineage[1:]:
                if name in study.names_held_by(cls):
                    yield cls, before
                    yield from made_by_bases(Study(cls, study.resolver, ()), before)
                    return
