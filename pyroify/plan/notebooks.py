"""Notebooks that define module classes, make networks or train some: they are not rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pyroify.checks.instances import Script
from pyroify.checks.networks import networks_of
from pyroify.checks.training import first_training
from pyroify.decide.model import Training
from pyroify.decide.project import Candidates, Key
from pyroify.diagnostics import Finding
from pyroify.program.faults import describe_fault
from pyroify.program.index import Index
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary
from pyroify.spec.model import Spec
from pyroify.syntax.facts import File
from pyroify.syntax.notebook import CODE, HELP, Cell


def notebook_findings(project: Candidates, converted: frozenset[Key]) -> Iterator[Finding]:
    """What each notebook of the index holds, and which converted classes it trains."""
    for path, cells in project.index.loaded.notebooks.items():
        try:
            file = project.index.add_notebook(path, "\n".join(cell.code for cell in cells))
            seen = tuple(_what_it_holds(project.index, project.spec, file, cells))
            training = first_training(Script(project, file, converted)) if converted else None
        except Exception as error:  # it must not cost the user the files
            yield describe_fault(path, error, "read")
            continue
        if seen:
            message = f"{'; '.join(seen)}; notebooks are not rewritten"
            yield Finding(path, 1, 1, CODE, message, HELP)
        if training is not None:
            yield _trains(training, cells)


def _trains(training: Training, cells: Sequence[Cell]) -> Finding:
    names = ", ".join(training.classes) or "what may be a converted class"
    message = f"trains {names} ({_numbered(cells, [training.line])}) less its random parameters"
    help = "optimise elbo.parameters() after a first call of the loss"
    return Finding(training.path, 1, 1, "PYR010", message, help)


def _what_it_holds(index: Index, spec: Spec, file: File, cells: Sequence[Cell]) -> Iterator[str]:
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
