"""JUnit XML: a test for each class, which fails if it is not what the spec wants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pyroify.diagnostics import Finding
from pyroify.report.failure import Failure
from pyroify.report.formats import Output, RewriteOptions
from pyroify.report.run import Report, severity
from pyroify.verify import VerifyResult

FAILING = ("to_convert", "refused")
DONE = ("equal", "abstract", "nothing_to_call")


def render_rewrite(report: Report, exit_code: int, options: RewriteOptions) -> Output:
    """A test for each class, and one for what is said of no class."""
    suite = Element("testsuite", name="pyroify rewrite")
    loose = [f for f in report.findings if not f.subject and severity(f.code) != "warning"]
    for entry in report.classes:
        status = report.status(entry)
        case = SubElement(suite, "testcase", classname=entry.module, name=entry.qualname)
        case.set("file", entry.path)
        if status in FAILING:
            _fail(case, status.replace("_", " "), _said(entry.findings))
        elif status == "suppressed":
            SubElement(case, "skipped", message="suppressed")
    case = SubElement(suite, "testcase", classname="pyroify", name="files")
    if loose:
        _fail(case, f"{len(loose)} of them", _said(loose))
    return _document(suite)


def render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int) -> Output:
    """A test for each class: whether it computes what it computed."""
    suite = Element("testsuite", name="pyroify verify")
    for result in results:
        module, _, name = result.name.partition(":")
        case = SubElement(suite, "testcase", classname=module, name=name, file=result.path)
        if result.status not in DONE:
            _fail(case, result.status.replace("_", " "), result.reason)
        elif result.status != "equal":
            SubElement(case, "skipped", message=result.status.replace("_", " "))
    return _document(suite)


def render_failure(failure: Failure, command: str) -> Output:
    """One test, which fails for what stopped the command."""
    suite = Element("testsuite", name=f"pyroify {command}")
    case = SubElement(suite, "testcase", classname="pyroify", name=command)
    SubElement(case, "error", message=_said(failure.findings))
    return _document(suite)


def _fail(case: Element, message: str, details: str) -> None:
    SubElement(case, "failure", message=message).text = details


def _said(findings: Iterable[Finding]) -> str:
    return "\n".join(f"{f.path}:{f.line}:{f.column} {f.code} {f.told}" for f in findings)


def _document(suite: Element) -> Output:
    cases = list(suite)
    suite.set("tests", str(len(cases)))
    for kind in ("failure", "error"):
        suite.set(f"{kind}s", str(sum(case.find(kind) is not None for case in cases)))
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return Output('<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n")
