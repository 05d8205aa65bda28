"""What a base attaches, and a class puts into a container of the same name."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.summary import ClassSummary, summary_of
from pyroify.program.values import ContainerInstance
from pyroify.syntax.facts import ATTACHING, Assignment
from pyroify.syntax.traits import BEYOND_LAYERS
from pyroify.syntax.values import Call, Path, SelfRead


@needs(BEYOND_LAYERS, nothing=frozenset())
def wrapped_of_bases(summary: ClassSummary) -> frozenset[Path]:
    """Attributes of bases that the class puts into a container of the same name."""
    made = [item for method in summary.cls.cls.methods for item in method.assignments]
    wrapping = [item for item in made if places_inside(summary, item)]
    own = [item.path for item in made if item not in wrapping]
    return frozenset(item.path for item in wrapping if item.path not in own)


def places_inside(summary: ClassSummary, item: Assignment) -> tuple[str, ...]:
    """Where ``self.fc = nn.Sequential(self.fc, ...)`` puts what was there."""
    args = item.value.args if isinstance(item.value, Call) else ()
    reads = [passed.value == SelfRead(item.path) for passed in args]
    if len(item.path) != 1 or item.how not in ATTACHING or not any(reads):
        return ()
    if any(passed.star or passed.keyword for passed in args):
        return ()
    is_container = isinstance(summary.node(item), ContainerInstance)
    return tuple(str(i) for i, read in enumerate(reads) if read and is_container)


@needs(BEYOND_LAYERS)
def made_by_bases(summary: ClassSummary, path: str) -> Iterator[tuple[ModuleClass, str]]:
    """The base that makes what is at a path in such a container, with the path it has there."""
    name, _, inside = path.partition(".")
    place, _, rest = inside.partition(".")
    if (name,) not in wrapped_of_bases(summary):
        return
    for item in summary.attached_as(name):
        if place in places_inside(summary, item):
            before = f"{name}.{rest}"
            for cls in summary.cls.lineage[1:]:
                if name in summary.names_held_by(cls):
                    yield cls, before
                    yield from made_by_bases(summary_of(cls, summary.resolver), before)
                    return
