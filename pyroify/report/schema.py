"""The JSON Schema of what ``--format json`` gives: one document for each command."""

from __future__ import annotations

from typing import Any, Final, get_args

from pyroify.decide.model import Action
from pyroify.decide.model import Status as ClassStatus
from pyroify.diagnostics import Severity
from pyroify.report.run import STATUSES
from pyroify.report.status import KINDS
from pyroify.spec.match import Spared
from pyroify.verify import Status as Compared
from pyroify.verify import Way

Schema = dict[str, Any]

SCHEMA_ID: Final = "https://git.example.com/pyroify/docs/reference/report.schema.json"
"""Where the documentation has this schema."""

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_PERCENTAGE: Final[Schema] = {"type": ["number", "null"], "minimum": 0, "maximum": 100}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_FROM_ONE: Final[Schema] = {"type": "integer", "minimum": 1}
_STRING: Final[Schema] = {"type": "string"}
_BOOLEAN: Final[Schema] = {"type": "boolean"}


def report_schema() -> Schema:
    """The whole schema, as plain JSON data. Keys are only ever added."""
    return {
        "$schema": _DRAFT,
        "$id": SCHEMA_ID,
        "title": "pyroify report",
        "description": "What a command of pyroify has found. Paths are relative to `root`, with "
        "forward slashes. Lines and columns count from 1, the index of a rule from 0.",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in ("run", "status", "verify", "failure")],
        "$defs": {
            "run": _run(),
            "status": _status(),
            "verify": _verify(),
            "failure": _failure(),
            "file": _file(),
            "class": _class(),
            "site": _site(),
            "rule": _rule(),
            "training": _training(),
            "finding": _finding(),
            "folder": _object("A folder.", {"path": _path("The folder."), **_counts()}),
            "result": _result(),
        },
    }


def _run() -> Schema:
    summary = {
        "files": _numbers("Files that change, and whose rewrite failed.", ("changed", "failed")),
        "classes": _numbers("Classes by status.", STATUSES),
        "sites": _numbers("Parameters by what becomes of them.", get_args(Action)),
        "coverage": _PERCENTAGE
        | _said("Converted of converted, to convert and refused; null if there are none."),
        "coverage_of_all": _PERCENTAGE
        | _said("The same, where all that is counted apart counts as not converted."),
        "refused": {"type": "object", "additionalProperties": _COUNT}
        | _said("Refused classes by code."),
        "unreadable": _COUNT | _said("Files and folders that cannot be read."),
        "networks": _COUNT | _said("Networks that are made outside of classes."),
        "notebooks": _COUNT | _said("Notebooks that cannot be read."),
    }
    return _document(
        "What `plan` or `rewrite` found.",
        ("plan", "rewrite"),
        {
            "root": _STRING | _said("Absolute path of the project."),
            "spec": _STRING | _said("The spec file."),
            "written": _BOOLEAN | _said("Whether files were changed; else they only would be."),
            "summary": _object("Numbers.", summary),
            "lock": {"enum": ["changed", "unchanged"]} | _said("`pyroify.lock`."),
            "files": _list("file", "What becomes of files."),
            "classes": _list("class", "What becomes of classes."),
            "trainings": _list("training", "Scripts that train without the random parameters."),
            "findings": _list("finding", "All there is to say."),
        },
    )


def _status() -> Schema:
    keys = {
        "root": _STRING | _said("Absolute path of the project."),
        "folders": _list("folder", "Those with classes that a spec may want."),
        "total": _object("All of them.", _counts()),
    }
    return _document("How far a migration is.", ("status",), keys)


def _counts() -> Schema:
    numbers = {kind: _COUNT | _said(f"How many are {kind.replace('_', ' ')}.") for kind in KINDS}
    share = _PERCENTAGE | _said("What is converted of all these; null if there are none.")
    return {**numbers, "share": share}


def _verify() -> Schema:
    keys = {
        "root": _STRING | _said("Absolute path of the project."),
        "summary": _numbers("Classes by status.", get_args(Compared)),
        "results": _list("result", "One for each class."),
        "unbuilt": _strings("Classes that the run of `--run` did not build."),
        "tests": {"type": "array", "items": _test()}
        | _said("With `--tests`, those that passed before and do not any more."),
    }
    return _document("What `verify` found.", ("verify",), keys)


def _failure() -> Schema:
    keys = {"findings": _list("finding", "Why.")}
    commands = ("plan", "rewrite", "status", "verify")
    return _document("What stopped a command before it had anything to report.", commands, keys)


def _document(description: str, commands: tuple[str, ...], keys: Schema) -> Schema:
    common = {
        "version": {"const": 1} | _said("The version of this format."),
        "pyroify": _STRING | _said("The version of pyroify."),
        "command": {"enum": list(commands)} | _said("The command."),
        "exit_code": {"enum": [0, 1, 2]} | _said("As the command ended."),
    }
    return _object(description, common | keys)


def _file() -> Schema:
    keys = {
        "path": _path("The file."),
        "status": {"enum": ["changed", "unchanged", "failed"]} | _said("What became of it."),
        "diff": _STRING | _said("A unified diff; with `--diff`."),
    }
    return _object("A file that the plan edits.", keys, optional=("diff",))


def _class() -> Schema:
    held = {
        "path": _STRING | _said("Where it hangs."),
        "cls": _STRING | _said("Its class."),
        "line": _FROM_ONE | _said("Where it is set."),
    }
    keys = {
        "name": _STRING | _said("`module:Class`, as the spec names it."),
        "module": _STRING | _said("The module."),
        "qualname": _STRING | _said("The name within the module."),
        **_place("The file."),
        "status": {"enum": list(get_args(ClassStatus))} | _said("What the plan makes of it."),
        "pending": _BOOLEAN | _said("Whether its source, or a base, is changed by this run."),
        "codes": _strings("Codes of its findings."),
        "stale_methods": _strings("Methods that use what construction put aside (PYR010)."),
        "bases": _strings("Classes of the project that it derives from."),
        "given": {"type": "object", "additionalProperties": {"type": "string"}}
        | _said("Arguments that all who build it give instances of classes, with one of these."),
        "parts": {"type": "array", "items": _object("One of them.", held)}
        | _said("Classes of the project that it holds."),
        "sites": _list("site", "Its parameters."),
    }
    return _object("A class of the project.", keys)


def _site() -> Schema:
    keys = {
        **_place("The parameter, below the class."),
        "action": {"enum": list(get_args(Action))} | _said("What becomes of it."),
        "shape": _STRING | _said("Its shape, as the source has it."),
        "layer": _STRING | _said("The layer that owns it."),
        "source": _STRING | _said("The declaration."),
        "rule": {"oneOf": [{"$ref": "#/$defs/rule"}, {"type": "null"}]} | _said("What decides."),
        "beaten": _list("rule", "Rules that match, too."),
        "spared": {"enum": list(get_args(Spared))} | _said("Why no rule decides."),
        "start": {"type": ["array", "null"], "items": {"type": "number"}}
        | _said("Lowest and highest value that it begins with, where it shows."),
        "foreign": _BOOLEAN
        | _said("Whether it stands for what code outside of the project hands in or makes."),
    }
    return _object("A parameter.", keys)


def _rule() -> Schema:
    keys = {
        "index": _COUNT | _said("The number of the rule."),
        "match": _STRING | _said("Its pattern."),
        "line": _COUNT | _said("The line of the spec."),
        "section": _STRING | _said("The section of the spec that it stands in."),
    }
    return _object("A rule of the spec.", keys)


def _training() -> Schema:
    keys = {
        "path": _path("The script."),
        "line": _FROM_ONE | _said("Where it begins to train."),
        "classes": _strings("What it trains; none where that does not show."),
        "script": _path("The file that runs it: where another one alone calls the function, that."),
    }
    return _object("A script that trains converted classes.", keys)


def _finding() -> Schema:
    keys = {
        **_place("The file."),
        "code": {"type": "string", "pattern": r"^PYR\d{3}$"} | _said("`pyroify rule` explains."),
        "severity": {"enum": list(get_args(Severity))} | _said("How bad it is."),
        "message": _STRING | _said("What was seen."),
        "help": _STRING | _said("What to do."),
        "subject": _STRING | _said("The class, `module:Class`, or nothing."),
        "sites": _strings("Parameters that stay plain for it, `module:Class.path`."),
        "others": _strings("Further lines of the file of which it is true."),
    }
    return _object("A remark about a place.", keys)


def _result() -> Schema:
    site = {
        "shape": {"type": "array", "items": _COUNT} | _said("Its shape."),
        "event_dim": _COUNT | _said("Its event dimensions."),
    }
    keys = {
        "name": _STRING | _said("`module:Class`."),
        "path": _path("The file."),
        "status": {"enum": list(get_args(Compared))} | _said("What came of it."),
        "reason": _STRING | _said("Why."),
        "built": _STRING | _said("How it was built."),
        "way": {"enum": [*get_args(Way), None]} | _said("How that was known; null: not at all."),
        "place": _STRING | _said("The line that says so, or the class that it is within."),
        "recorded": _BOOLEAN | _said("Whether `--run` built and called it so."),
        "calls": _strings("What was called."),
        "left_out": _strings("What was not called, and why."),
        "max_difference": {"type": ["number", "null"]} | _said("The largest difference."),
        "sites": {"type": "object", "additionalProperties": _object("A site.", site)}
        | _said("The sample sites, by name."),
    }
    return _object("What the comparison of a class came to.", keys)


def _test() -> Schema:
    keys = {
        "name": _STRING | _said("As pytest names it."),
        "path": _path("The file."),
        "reason": _STRING | _said("Why it does not pass."),
    }
    return _object("A test of the project's own.", keys)


def _place(what: str) -> Schema:
    return {
        "path": _path(what),
        "line": _FROM_ONE | _said("From 1."),
        "column": _FROM_ONE | _said("From 1."),
    }


def _path(what: str) -> Schema:
    return _STRING | _said(what)


def _numbers(description: str, keys: tuple[str, ...]) -> Schema:
    return _object(description, {key: _COUNT | _said(f"`{key}`.") for key in keys})


def _strings(description: str) -> Schema:
    return {"type": "array", "items": _STRING} | _said(description)


def _list(name: str, description: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}} | _said(description)


def _said(description: str) -> Schema:
    return {"description": description}


def _object(description: str, keys: Schema, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "description": description,
        "type": "object",
        "properties": keys,
        "required": [key for key in keys if key not in optional],
        "additionalProperties": False,
    }
