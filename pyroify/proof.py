"""The verification of what a plan converts: which classes, in which two versions of the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pyroify.pipeline import Outcome, make_plan
from pyroify.plan.model import Plan
from pyroify.spec.model import Spec
from pyroify.verify import Build, Target, VerifyResult, changed_tree, verify


def verify_rewrite(root: Path, spec: Spec, outcome: Outcome) -> tuple[VerifyResult, ...]:
    """Compares the files below ``root`` with what ``outcome`` would make of them."""
    changes = {result.path: result.after for result in outcome.changes if result.after is not None}
    targets = targets_of(outcome.plan, spec)
    if not targets:
        return ()
    with changed_tree(root, changes) as rewritten:
        return verify(root, rewritten, targets)


def verify_project(
    original: Path, root: Path, files: Sequence[str], spec: Spec, selected: Sequence[str]
) -> tuple[VerifyResult, ...]:
    """Compares what the spec converts in ``original`` with the same classes below ``root``.

    A class whose file below ``root`` is still to be rewritten is not verified.
    """
    known = [path for path in files if (original / path).exists()]
    before = make_plan(original, known, spec, [path for path in selected if path in known])
    pending = {file.path for file in make_plan(root, files, spec, selected).files}
    targets = targets_of(before, spec)
    ready = [target for target in targets if target.path not in pending]
    results = {result.name: result for result in verify(original, root, ready)}
    return tuple(results.get(target.name) or _not_rewritten(target) for target in targets)


def _not_rewritten(target: Target) -> VerifyResult:
    reason = "it is not rewritten yet: run `pyroify rewrite`"
    return VerifyResult(target.name, target.path, "not_verified", reason)


def targets_of(plan: Plan, spec: Spec) -> tuple[Target, ...]:
    """The classes that ``plan`` changes; the spec's svi section may say how one is built."""
    edited = {file.path for file in plan.files if file.edits}
    model = spec.svi.get("model")
    model = model if isinstance(model, Mapping) else {}
    builds = {model.get("class"): Build(kwargs=model.get("kwargs"))}
    return tuple(
        Target(entry.module, entry.qualname, entry.path, builds.get(entry.name, Build()))
        for entry in plan.classes
        if entry.status == "converted" and entry.path in edited
    )
