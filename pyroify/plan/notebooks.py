"""Notebooks that define module classes or make networks: they are not rewritten, and said to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pyroify.checks.networks import networks_of
from pyroify.diagnostics import Finding
from pyroify.program.faults import describe_fault
from pyroify.program.index import Index
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary
from pyroify.spec.model import Spec
from pyroify.syntax.notebook import CODE, HELP, Cell


def notebook_findings(index: Index, spec: Spec) -> Iterator[Finding]:
    """At most one finding for each notebook of the index."""
    for path, cells in index.loaded.notebooks.items():
        try:
            seen = tuple(_what_it_holds(index, spec, path, cells))
        except Exception as error:  # it must not cost the user the files
            yield describe_fault(path, error, "read")
        else:
            if seen:
                message = f"{'; '.join(seen)}; notebooks are not rewritten"
                yield Finding(path, 1, 1, CODE, message, HELP)


def _what_it_holds(index: Index, spec: Spec, path: str, cells: Sequence[Cell]) -> Iterator[str]:
    file = index.add_notebook(path, "\n".join(cell.code for cell in cells))
    classes = {
        cls.line: cls.qualname
        for cls in file.classes
        if (made := index.module_class(file, cls))
        and ClassSummary(made, Resolver(index, {}), ()).adds_parameters
    }
    if classes:
        yield f"defines {', '.join(classes.values())} ({_numbered(cells, classes)})"
    networks = {call.line: call.text for call in networks_of(index, spec, file)}
    if networks:
        names = ", ".join(dict.fromkeys(networks.values()))
        yield f"makes {names} ({_numbered(cells, networks)})"
    for cell in cells:
        if cell.error:
            yield f"cell {cell.number} cannot be parsed: {cell.error}"


def _numbered(cells: Sequence[Cell], lines: Iterable[int]) -> str:
    """The cells in which some lines of the joined code stand."""
    owners: list[int] = [n for cell in cells for n in [cell.number] * (cell.code.count("\n") + 1)]
    numbers = sorted({owners[line - 1] for line in lines})
    return f"cell{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
