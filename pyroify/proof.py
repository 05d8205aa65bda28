"""The verification of what a plan converts: which classes, in which two versions of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pyroify.decide.model import Plan
from pyroify.notebook import is_notebook
from pyroify.pipeline import Outcome, make_plan
from pyroify.project import Project
from pyroify.spec.model import Spec
from pyroify.verify import (
    Build,
    PlannedClasses,
    Recording,
    RunLimits,
    Target,
    TestsCompared,
    VerifyError,
    VerifyResult,
    changed_tree,
    compare_tests,
    record,
    verify,
)

Progress = Callable[[VerifyResult], None]


@dataclass(frozen=True, slots=True)
class OwnRun:
    """A command of the user's that shows how his classes are built and called.

    ``noted`` is told what came of it.
    """

    command: Sequence[str]
    limits: RunLimits
    noted: Callable[[Recording], None]

    @contextmanager
    def recording(self, root: Path, original: Mapping[str, bytes]) -> Iterator[Recording]:
        """Run it on a copy of ``root`` that holds the ``original`` files."""
        with (
            changed_tree(root, original, linked=False) as copy,
            record(copy, self.command, self.limits) as made,
        ):
            self.noted(made)
            yield made


def verify_rewrite(
    project: Project,
    spec: Spec,
    outcome: Outcome,
    progress: Progress,
    run: OwnRun | None = None,
    *,
    guessed: Sequence[VerifyResult] = (),
) -> tuple[VerifyResult, ...]:
    """Compares the files of a project with what ``outcome`` would make of them.

    What a ``run`` builds and calls is built and called so; the rest is guessed. Where that was done
    before, with the results ``guessed``, it is not done again.
    """
    changes = {result.path: result.after for result in outcome.changes if result.after is not None}
    targets = targets_of(outcome.plan, spec)
    if not targets:
        return ()
    root = project.root
    with (
        changed_tree(root, {}) as original,
        changed_tree(root, changes) as rewritten,
        _recorded(run, root, {}) as made,
    ):
        planned = PlannedClasses(spec, outcome.plan.classes, frozenset(project.selected))
        results = {result.name: result for result in guessed}
        shown = [made(target) for target in targets if not is_notebook(target.path)]
        ready = [
            target
            for target in shown
            if target.name not in results or target.build.recorded or target.build.enclosing
        ]
        compared = verify(original, rewritten, ready, planned=planned, progress=progress)
    results |= {result.name: result for result in compared}
    return tuple(results.get(target.name) or _not_compared(target) for target in targets)


@contextmanager
def _recorded(
    run: OwnRun | None, root: Path, original: Mapping[str, bytes]
) -> Iterator[Callable[[Target], Target]]:
    """Gives targets the way that a run has built and called them."""
    if run is None:
        yield lambda target: target
        return
    with run.recording(root, original) as made:
        yield lambda target: replace(target, build=made.build_of(target))


def verify_project(
    original: Path, project: Project, spec: Spec, progress: Progress, run: OwnRun | None = None
) -> tuple[VerifyResult, ...]:
    """Compares what the spec converts in ``original`` with the same classes of ``project``.

    Of these the ones in the selected files; what they hold and derive from may stand elsewhere. A
    class that is still to be rewritten, or whose base or part is, is not verified. What a ``run``
    on the original builds and calls is built and called so; the rest is guessed.
    """
    known = frozenset(path for path in project.files if (original / path).exists())
    whole = replace(project, selected=project.files).narrowed(spec.include, spec.exclude)
    selected = known.intersection(whole.selected)
    before = make_plan(original, sorted(known), spec, selected)
    now = make_plan(project.root, project.files, spec, whole.selected)
    pending = _changed(now)
    targets = [target for target in targets_of(before, spec) if target.path in project.selected]
    able = [target for target in targets if not is_notebook(target.path)]
    ready = [target for target in able if target.name not in pending]
    planned = PlannedClasses(spec, before.classes, selected)
    sources = {path: (original / path).read_bytes() for path in known} if run else {}
    with (
        changed_tree(original, {}) as old,
        changed_tree(project.root, {}) as new,
        _recorded(run, project.root, sources) as made,
    ):
        shown = [made(target) for target in ready]
        compared = verify(old, new, shown, planned=planned, progress=progress)
    results = {result.name: result for result in compared}
    return tuple(results.get(target.name) or _not_compared(target) for target in targets)


def verify_tests(
    original: Path, project: Project, command: Sequence[str], seconds: float
) -> TestsCompared:
    """Compares how the project's own tests end on copies of both versions.

    What is not in ``original``, such as data that is not committed, is that of the project.
    """
    root = project.root
    old = {
        path: (original / path).read_bytes() for path in project.files if (original / path).exists()
    }
    with (
        changed_tree(root, old, linked=False) as before,
        changed_tree(root, {}, linked=False) as after,
    ):
        return compare_tests(before, after, command, seconds)


def _not_compared(target: Target) -> VerifyResult:
    reason = "it is not rewritten yet: run `pyroify rewrite`"
    if is_notebook(target.path):
        reason = "it stands in a notebook, which cannot be imported"
    return VerifyResult(target.name, target.path, "not_verified", reason)


def targets_of(plan: Plan, spec: Spec) -> tuple[Target, ...]:
    """The classes that ``plan`` changes, and how the spec says that they are built and called.

    Raises :class:`VerifyError` where it says so of a class that the plan does not know.
    """
    changed = _changed(plan)
    builds = _builds(spec)
    known = {entry.name for entry in plan.classes}
    for example in spec.verify:
        if example.cls not in known:
            where = f"{spec.path}:{example.line}:{example.column}"
            raise VerifyError(f"{where}: verify is about {example.cls}, but there is no such class")
    return tuple(
        Target(
            entry.module,
            entry.qualname,
            entry.path,
            builds.get(entry.name, Build()),
            entry.stale_methods,
        )
        for entry in plan.classes
        if entry.status == "converted" and entry.name in changed
    )


def _builds(spec: Spec) -> dict[str, Build]:
    """What the sections ``svi`` and ``verify`` say, by class; the second goes before."""
    model, data = spec.svi.get("model"), spec.svi.get("data")
    builds: dict[str, Build] = {}
    if isinstance(model, Mapping):
        rows = data if isinstance(data, Mapping) else None
        builds[str(model.get("class"))] = Build(kwargs=model.get("kwargs"), data=rows)
    for example in spec.verify:
        before = builds.get(example.cls, Build())
        build = replace(before, inputs=example.inputs)
        if isinstance(example.build, str):
            build = replace(build, function=example.build, kwargs=None)
        elif example.build is not None:
            build = replace(build, kwargs=example.build)
        builds[example.cls] = build
    return builds


def _changed(plan: Plan) -> frozenset[str]:
    """The classes in files that ``plan`` edits, and all that derive from them or hold them."""
    edited = {file.path for file in plan.files if file.edits}
    changed = {entry.name for entry in plan.classes if entry.path in edited}
    while True:
        further = {
            entry.name
            for entry in plan.classes
            if not changed.isdisjoint((*entry.bases, *(part.cls for part in entry.parts)))
        }
        if further <= changed:
            return frozenset(changed)
        changed |= further
