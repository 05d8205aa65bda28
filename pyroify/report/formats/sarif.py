"""SARIF 2.1.0, which code scanning of several hosts reads: rules, findings, and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pyroify import __version__
from pyroify.diagnostics import Finding, all_codes, lookup
from pyroify.notebook import is_notebook
from pyroify.report.failure import Failure
from pyroify.report.formats import Output, RewriteOptions
from pyroify.report.run import Report, severity
from pyroify.report.verification import result_findings
from pyroify.source import decode_source
from pyroify.verify import VerifyResult

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LINE = re.compile(r"[^\n]*\n|[^\n]+")
REWRITE = {
    "id": "rewrite",
    "shortDescription": {"text": "File that `pyroify rewrite` would change"},
    "help": {"text": "Run `pyroify rewrite`, or take the fixes of all files together."},
    "defaultConfiguration": {"level": "error"},
}
LEVELS = {"error": "error", "refused": "error", "warning": "warning"}


def render_plan(report: Report, exit_code: int) -> Output:
    """The findings of `plan`."""
    return _document(report.findings, exit_code)


def render_rewrite(report: Report, exit_code: int, options: RewriteOptions) -> Output:
    """The findings of `rewrite`, and the files that it would change, with what it would write."""
    changed = [] if report.written else [(r.path, r.before, r.after) for r in report.changed]
    if changed and report.lock is not None:
        changed.append((report.lock.path, report.lock.before, report.lock.after))
    pending = [_pending(path, before or b"", after or b"") for path, before, after in changed]
    return _document(report.findings, exit_code, pending)


def render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int) -> Output:
    """What is not equal."""
    return _document(result_findings(results), exit_code)


def render_failure(failure: Failure, command: str) -> Output:
    """What stopped a command."""
    return _document(failure.findings, 2)


def _document(
    findings: Iterable[Finding], exit_code: int, pending: Sequence[dict[str, object]] = ()
) -> Output:
    found = list(findings)
    codes = sorted({item.code for item in found} & {*all_codes()})
    rules = [*map(_rule, codes), *([REWRITE] if pending else ())]
    driver = {"name": "pyroify", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": exit_code < 2, "exitCode": exit_code}],
        "columnKind": "unicodeCodePoints",
        "results": [*(_result(item, codes) for item in found), *pending],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return Output(json.dumps(document, indent=2) + "\n")


def _rule(code: str) -> dict[str, object]:
    known = lookup(code)
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "help": {"text": known.text, "markdown": known.text},
        "defaultConfiguration": {"level": LEVELS[known.severity]},
    }


def _result(item: Finding, codes: Sequence[str]) -> dict[str, object]:
    region = {"startLine": item.line, "startColumn": item.column}
    place = {"artifactLocation": {"uri": quote(item.path)}, "region": region}
    result: dict[str, object] = {
        "ruleId": item.code,
        "level": LEVELS[severity(item.code)],
        "message": {"text": "\n".join(filter(None, (item.told, item.help)))},
        "locations": [{"physicalLocation": place}],
        # The line is not in it: what moves is the same finding.
        "partialFingerprints": {"pyroify/v1": sha256(item.identity.encode()).hexdigest()},
    }
    return result | ({"ruleIndex": codes.index(item.code)} if item.code in codes else {})


def _pending(path: str, before: bytes, after: bytes) -> dict[str, object]:
    """A file that would change, with the change as a fix."""
    old, new = (_lines(path, data) for data in (before, after))
    replacements = list(_replacements(old, new))
    artifact = {"uri": quote(path)}
    fix = {
        "description": {"text": "what `pyroify rewrite` makes of it"},
        "artifactChanges": [{"artifactLocation": artifact, "replacements": replacements}],
    }
    first = replacements[0]["deletedRegion"] if replacements else {"startLine": 1}
    return {
        "ruleId": REWRITE["id"],
        "level": "error",
        "message": {"text": "not as `pyroify rewrite` would have it"},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": first}}],
        "partialFingerprints": {"pyroify/v1": sha256(f"rewrite {path}".encode()).hexdigest()},
        "fixes": [fix],
    }


def _lines(path: str, data: bytes) -> list[str]:
    """The lines of a file with their ends; of a notebook those of its JSON."""
    text = data.decode(errors="replace") if is_notebook(path) else decode_source(data, path).text
    return LINE.findall(text)


def _replacements(old: Sequence[str], new: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What is put in the place of which lines."""
    for tag, start, end, new_start, new_end in SequenceMatcher(None, old, new).get_opcodes():
        if tag != "equal":
            (line, column), (end_line, end_column) = _place(old, start), _place(old, end)
            region = {"startLine": line, "startColumn": column}
            region |= {"endLine": end_line, "endColumn": end_column}
            content = {"text": "".join(new[new_start:new_end])}
            yield {"deletedRegion": region, "insertedContent": content}


def _place(lines: Sequence[str], number: int) -> tuple[int, int]:
    """Line and column, from 1, where a line begins; or where the last one ends."""
    is_behind = number == len(lines) and number > 0 and not lines[-1].endswith("\n")
    return (number, len(lines[-1]) + 1) if is_behind else (number + 1, 1)
