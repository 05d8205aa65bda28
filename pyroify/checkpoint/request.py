"""What a project and its spec say about the model that a checkpoint belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pyroify.checkpoint.session import CheckpointError, Request
from pyroify.decide.model import Plan
from pyroify.edits.originals import special_inits
from pyroify.pipeline import make_plan
from pyroify.project import Project
from pyroify.spec.model import Spec
from pyroify.verify import Build, Target

EXAMPLE = 'svi: {model: {class: "models.net:Net", kwargs: {width: 16}}}'


def make_request(project: Project, spec: Spec, old: Path) -> Request:
    """The conversion of ``old`` for the class under ``svi: model``.

    Raises CheckpointError where the spec names none, or none of the project.
    """
    model = spec.svi.get("model")
    name = model.get("class") if isinstance(model, Mapping) else None
    if not isinstance(model, Mapping) or not name:
        raise CheckpointError(f"the spec does not say whose checkpoint it is; add {EXAMPLE}")
    plan = make_plan(project.root, project.files, spec, project.files)
    found = next((entry for entry in plan.classes if entry.name == name), None)
    if found is None:
        raise CheckpointError(f"the class {name} under svi: model is not in the project")
    build = Build(kwargs=model.get("kwargs"))
    target = Target(found.module, found.qualname, found.path, build)
    return Request(project.root, target, old, dict(_inits(plan, spec)))


def _inits(plan: Plan, spec: Spec) -> Iterator[tuple[str, str]]:
    for entry in plan.classes:
        for path, param in special_inits(entry.sites, spec):
            yield f"{entry.qualname}.{path}", str(param.init)
