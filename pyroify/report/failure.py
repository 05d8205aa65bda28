"""What stops a command before it has anything to report: wrong targets, a wrong spec, no space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyroify import __version__
from pyroify.diagnostics import Finding
from pyroify.project import ProjectError
from pyroify.publish import PublishError
from pyroify.report.json import finding_document
from pyroify.report.text import render_findings
from pyroify.source import SourceError
from pyroify.spec.model import Problem, SpecError
from pyroify.verify import VerifyError

CANNOT_VERIFY = "PYR300"


@dataclass(frozen=True, slots=True)
class Failure:
    """The same thing for people and for programs."""

    text: str
    findings: tuple[Finding, ...]


def describe_failure(error: Exception) -> Failure | None:
    """What to tell the user; None if ``error`` is a bug."""
    match error:
        case ProjectError() | PublishError() | SourceError():
            return Failure(render_findings([error.finding], Path()), (error.finding,))
        case SpecError(problems=problems):
            text = "".join(f"{problem}\n" for problem in problems)
            return Failure(text, _spec_findings(problems))
        case VerifyError():
            finding = Finding(".", 1, 1, CANNOT_VERIFY, str(error))
            return Failure(f"{finding.code} {error}\n", (finding,))
    return None


def _spec_findings(problems: Sequence[Problem]) -> tuple[Finding, ...]:
    return tuple(
        Finding(p.path, p.position.line, p.position.column, p.code, p.message, p.help)
        for p in problems
    )


def render_failure(failure: Failure, command: str) -> str:
    """A JSON document with the keys of a report that are known: it has findings only."""
    document = {
        "version": 1,
        "pyroify": __version__,
        "command": command,
        "exit_code": 2,
        "findings": [finding_document(finding) for finding in failure.findings],
    }
    return json.dumps(document, indent=2) + "\n"
