"""What stops a command before it has anything to report: wrong targets, a wrong spec, no space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyroify.checkpoint import CheckpointError
from pyroify.diagnostics import Finding
from pyroify.project import ProjectError
from pyroify.publish import PublishError
from pyroify.report.run import spec_findings
from pyroify.report.text import render_findings
from pyroify.source import SourceError
from pyroify.spec.model import SpecError
from pyroify.undo import UndoError
from pyroify.verify import VerifyError

CANNOT_VERIFY = "PYR300"
CANNOT_CONVERT = "PYR310"


@dataclass(frozen=True, slots=True)
class Failure:
    """The same thing for people and for programs."""

    text: str
    findings: tuple[Finding, ...]


def describe_failure(error: Exception) -> Failure | None:
    """What to tell the user; None if ``error`` is a bug."""
    match error:
        case UndoError():
            return Failure(render_findings(error.findings, Path()), error.findings)
        case ProjectError() | PublishError() | SourceError():
            return Failure(render_findings([error.finding], Path()), (error.finding,))
        case SpecError(problems=problems):
            text = "".join(f"{problem}\n" for problem in problems)
            findings = (f for p in problems for f in spec_findings(p.path, [p]))
            return Failure(f"{text}`pyroify rule CODE` explains\n", tuple(findings))
        case VerifyError() | CheckpointError():
            code = CANNOT_VERIFY if isinstance(error, VerifyError) else CANNOT_CONVERT
            return Failure(f"{code} {error}\n", (Finding(".", 1, 1, code, str(error)),))
    return None
