"""Refresh what the documentation takes from the code: ``make docs``.

- Pages of ``PAGES`` are written whole.
- In the files of ``HOLD_TABLES`` the tables between markers are.
- On any page, a fenced block below a comment ``<!-- run: COMMAND -->`` holds the output of that
  command, run in a copy of the example project; on a page with ``<!-- project: COMMAND -->``, in
  what that command makes of an empty folder. A block below ``<!-- file: PATH -->`` is written
  there. ``run (1):`` expects exit code 1, ``run, varies:`` runs the command but leaves the block
  as it is, and ``run, numbers vary:`` if nothing but numbers is new. The commands of a page run
  one after the other in the same place. A ``diff`` block shows standard output only.

``python docs/generate.py --check`` writes nothing and exits 1 if anything is out of date.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import yaml

import pyroify
from pyroify.catalog.constraints import CONSTRAINTS
from pyroify.catalog.distributions import DISTRIBUTIONS, Distribution
from pyroify.catalog.layers import LAYERS
from pyroify.cli import cli
from pyroify.diagnostics import all_codes, lookup
from pyroify.emit import emit_script
from pyroify.emit.family import facts, names
from pyroify.emit.keys import (
    DATA,
    ELBO,
    ENSEMBLE,
    HANDLERS,
    LAPLACE,
    MODEL,
    NUTS,
    OPTIMIZER,
    SVI,
)
from pyroify.emit.schema import whole_schema
from pyroify.report.schema import report_schema
from pyroify.spec.keys import EXAMPLE as EXAMPLE_KEYS
from pyroify.spec.keys import LATENT, OPTIONS, RULE, SPEC
from pyroify.spec.kinds import Key, Schema, Table

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "diabetes"
BLOCK = re.compile(
    r"(?P<head><!-- (?:file: (?P<file>\S+)"
    r"|run(?:, (?P<varies>varies|numbers vary))?(?: \((?P<code>\d+)\))?: (?P<command>.+?)) -->\n"
    r"```(?P<language>\w+)[^\n]*\n)(?P<body>.*?)(?P<tail>^```$)",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"[ -]*[\d.]+ *")
PROJECT = re.compile(r"^<!-- project: (?P<command>.+) -->$", re.MULTILINE)
TABLE = re.compile(
    r"(?P<head><!-- table: (?P<name>\w+) -->\n).*?(?P<tail><!-- /table -->)", re.DOTALL
)
CORPUS = ROOT / "benchmarks" / "corpus.json"
SURVEY = ROOT / "benchmarks" / "survey.json"
SURVEY_STARTER = ROOT / "benchmarks" / "survey_starter.json"
FUZZ = ROOT / "benchmarks" / "fuzz.json"
PROOFS = ROOT / "benchmarks" / "proofs.json"
MUTANTS = ROOT / "benchmarks" / "mutants.json"
SMALLEST = """\
model: {class: "net:Net"}
data: {source: data.csv, targets: [y]}
leave_out: [baseline, export, plots]
"""
TRAINING = ROOT / "benchmarks" / "train.json"
WALK = ROOT / "benchmarks" / "walk.json"
SPEED = ROOT / "benchmarks" / "speed.json"
PLANTED = ROOT / "tests" / "planted.yaml"
UCI = ROOT / "benchmarks" / "uci.json"
UCI_PUBLISHED = ROOT / "benchmarks" / "uci_published.json"
OWNERS = ROOT / "benchmarks" / "owners.json"
COUNTS = ("classes", "converted", "refused", "built", "equal", "wrong")
SURVEYED = {
    "classes": "classes",
    "converted": "converted",
    "unchanged": "nothing to convert",
    "refused": "refused",
    "for_others": "of these, for another's sake",
    "plain": "converted, with some parameters left plain",
    "with_sites": "converted, with sites",
    "at_run_time": "of these, at run time",
    "foreign": "at run time for code outside alone",
    "declarations": "declarations",
    "in_loops": "in loops over what is not known",
}
STARTED = {
    "package": "package",
    "version": "version",
    "classes": "classes",
    "converted": "to convert",
    "unchanged": "nothing to convert",
    "refused": "refused",
    "for_others": "of these, for another's sake",
    "seconds": "seconds",
}
OWNED = {
    "classes": "classes",
    "converted": "converted",
    "refused": "refused",
    "at_run_time": "at run time",
    "equal": "equal",
    "wrong": "wrong",
    "not_verified": "not verified",
}
PROOF_WAYS = {"guessed": "without `--run`", "recorded": "with `--run`"}
FUZZ_ROWS = {
    "programs": "programs",
    "targets": "classes built, with one set of arguments each",
    "sites": "parameters compared",
    "said": "of these, not as the spec says, with a finding and exit code 1",
    "silent": "programs with something silently wrong",
    "crash_rewritten": "programs whose rewritten code fails",
    "crash_tool": "programs on which pyroify fails",
    "not_idempotent": "programs that a second run changes",
    "line_ends": "programs with line ends of another kind afterwards",
}
WALK_ROWS = {
    "modules": ("modules entered", "at most 40"),
    "calls": ("calls", ""),
    "changes": ("changes of module", ""),
    "forms": ("forms of object", "at most 11"),
}
WORDS = {
    "array": "list",
    "boolean": "`true`, `false`",
    "integer": "whole number",
    "number": "number",
    "object": "mapping",
    "string": "text",
}
SEVERITIES = """\
`error`: nothing was done (exit code 2). `refused`: something was left unconverted (exit code 1).
`warning`: converted, but worth a look. `pyroify rule CODE` shows the same in a terminal.
"""
REPORT_INTRODUCTION = """\
# Reports in JSON

`--format json` of `plan`, `rewrite`, `status` and `verify` gives one document, and so does a
command that is stopped by an error. Its schema is in [report.schema.json](report.schema.json);
`pyroify schema report` prints it, too. Keys are only ever added to this version.
"""
PYTHON_INTRODUCTION = """\
# From Python

What the commands do, as functions: typed, without torch, and with nothing loaded before it is asked
for. They write no file.

```python
import pyroify

spec = pyroify.load_spec("pyroify.yaml")
result = pyroify.rewrite_source(open("net.py").read(), spec, filename="net.py")
print(result.text)
for finding in result.findings:
    print(f"{finding.path}:{finding.line} {finding.code} {finding.message}")

report = pyroify.plan(["."], spec=spec)
for entry in report.classes:
    print(entry.name, entry.status, [(site.path, site.action) for site in entry.sites])
```

Other modules of the package may change with any version.
"""
NOTE = "<!-- Generated by docs/generate.py; change what it is made from. -->\n"


def commands_page() -> str:
    """Every command's ``--help``."""
    whole = click.Context(cli, info_name="pyroify", terminal_width=90, **cli.context_settings)
    parts = [f"{NOTE}\n# Commands\n\n{_help(whole)}"]
    for name, command in cli.commands.items():
        context = click.Context(command, parent=whole, info_name=name)
        parts.append(f"\n## pyroify {name}\n\n{_help(context)}")
    return "".join(parts)


def _help(context: click.Context) -> str:
    return f"```text\n{context.command.get_help(context)}\n```\n"


def python_page() -> str:
    """What ``import pyroify`` offers."""
    parts = []
    for name in (name for name in pyroify.__all__ if name != "__version__"):
        found = getattr(pyroify, name)
        text = inspect.cleandoc(found.__doc__ or "").replace("``", "`")
        parts.append(f"\n## pyroify.{name}\n\n{_signature(name, found)}{text}\n{_fields(found)}")
    return f"{NOTE}\n{PYTHON_INTRODUCTION}{''.join(parts)}"


def _signature(name: str, found: object) -> str:
    if not inspect.isfunction(found):
        return ""
    text = str(inspect.signature(found)).replace("'", "").replace("os.PathLike[str]", "PathLike")
    return f"```python\ndef {name}{text}: ...\n```\n\n"


def _fields(found: object) -> str:
    """The fields and properties of a class."""
    if not inspect.isclass(found) or not is_dataclass(found):
        return ""
    rows = [(field.name, field.type) for field in fields(found)]
    rows += [
        (name, inspect.signature(value.fget).return_annotation)
        for name, value in vars(found).items()
        if isinstance(value, property) and value.fget and not name.startswith("_")
    ]
    return "\n" + _table(
        ("", "type"), ((f"`{n}`", f"`{kind}`".replace(" | ", " or ")) for n, kind in rows)
    )


def report_page() -> str:
    """What ``--format json`` gives, as its schema says."""
    schema = report_schema()
    parts = [f"\n{schema['description']}\n"]
    for name, entry in schema["$defs"].items():
        keys = entry["properties"].items()
        optional = entry["properties"].keys() - set(entry["required"])
        rows = ((f"`{key}`", _kind(value), value["description"]) for key, value in keys)
        said = f"\nNot always there: {', '.join(sorted(optional))}.\n" if optional else ""
        title = f"## {name}\n\n{entry['description']}"
        parts.append(f"\n{title}\n\n{_table(('key', 'type', ''), rows)}{said}")
    return f"{NOTE}\n{REPORT_INTRODUCTION}{''.join(parts)}"


def _kind(value: Mapping[str, Any]) -> str:
    """The type of a value of a schema, in words."""
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return ", ".join(f"`{json.dumps(item)}`" for item in value["enum"])
    if "oneOf" in value:
        return " or ".join(map(_kind, value["oneOf"]))
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if value["type"] == "array" and "$ref" in value["items"]:
        return f"list of {_kind(value['items'])}"
    kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
    return " or ".join(kinds)


def report_schema_text() -> str:
    """The schema itself, for programs."""
    return json.dumps(report_schema(), indent=2) + "\n"


def rules_page() -> str:
    """The rules by code; each has a page of its own."""
    rules = [lookup(code) for code in all_codes()]
    listing = _table(
        ("code", "severity", ""),
        ((f"[{r.code}](rules/{r.code}.md)", r.severity, r.title) for r in rules),
    )
    return f"{NOTE}\n# Rules\n\n{SEVERITIES}\n{listing}"


def rule_page(code: str) -> str:
    """What `pyroify rule` says of one code."""
    rule = lookup(code)
    text = re.sub(r"\]\(#(pyr\d+)\)", lambda link: f"]({link[1].upper()}.md)", rule.text)
    return f"{NOTE}\n# {code}: {rule.title}\n\nSeverity: {rule.severity}.\n\n{text}"


def spec_schema_text() -> str:
    """The schema of the spec itself, for editors."""
    return json.dumps(whole_schema(), indent=2) + "\n"


def keys_table(table: Table) -> str:
    """The keys of one mapping of the spec."""
    return _table(("key", ""), ((f"`{key.name}`", key.says) for key in table.keys))


def settings_table(table: Table) -> str:
    """The keys of one mapping below ``svi:``, with what each takes and what holds without it."""
    return _table(
        ("key", "takes", "default", ""),
        ((f"`{key.name}`", _takes(key.schema()), _default(key), key.says) for key in table.keys),
    )


def _takes(schema: Schema) -> str:
    """What a value may be, in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_takes, schema["anyOf"])))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{word}`" for word in schema.get("enum", [schema.get("const")]))
    type_ = schema["type"]
    if isinstance(type_, list):
        return " or ".join(WORDS[name] for name in type_ if name != "null")
    if type_ == "array":
        return f"list of {_takes(schema['items'])}"
    least = f" from {schema['minimum']:g}" if "minimum" in schema else ""
    below = f" to below {schema['exclusiveMaximum']:g}" if "exclusiveMaximum" in schema else ""
    above = " above 0" if "exclusiveMinimum" in schema else ""
    return f"{WORDS[type_]}{above}{least}{below}"


def _default(key: Key) -> str:
    """What holds where the key is absent."""
    if key.missing:
        return "needed"
    if key.default in (None, "", [], {}):
        return key.otherwise
    return f"`{json.dumps(key.default) if not isinstance(key.default, str) else key.default}`"


def distributions_table() -> str:
    """The priors a spec may name."""
    return _table(
        ("distribution", "support", "guide"),
        (
            (f"`{row.name}({_arguments(row)})`", row.support, "no" if row.guide_problem else "yes")
            for row in DISTRIBUTIONS.values()
        ),
    )


def _arguments(row: Distribution) -> str:
    return ", ".join(
        parameter.name if parameter.default is None else f"[{parameter.name}]"
        for parameter in row.parameters
    )


def constraints_table() -> str:
    """The constraints a ``param`` may name: those that a PyroParam can learn under."""
    learnable = (row for row in CONSTRAINTS.values() if row.is_learnable and not row.is_discrete)
    return _table(
        ("constraint", "event dimensions"),
        ((f"`{_call(row.name, row.arguments)}`", str(row.event_dim)) for row in learnable),
    )


def _call(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join(arguments)})" if arguments else name


def layers_table() -> str:
    """The layers of torch.nn with parameters of their own."""
    rows = (row for row in LAYERS.values() if row.kind in ("layer", "recurrent"))
    return _table(
        ("layer", "parameters"),
        ((f"`{row.name}`", ", ".join(f"`{p.name}`" for p in row.parameters)) for row in rows),
    )


def families_table(kind: str) -> str:
    """The templates of one kind, with their options and defaults."""
    rows = [(name, facts(kind, name)) for name in names(kind)]
    has_outputs = kind == "likelihoods"
    return _table(
        ("family", "", *(["gives"] if has_outputs else []), "options"),
        (
            (
                f"`{name}`",
                row.title,
                *([", ".join(f"`{item}`" for item in getattr(row, "gives", ()))] * has_outputs),
                _options(row.options),
            )
            for name, row in rows
        ),
    )


def _options(options: Mapping[str, Sequence[object]]) -> str:
    return ", ".join(
        f"`{name}`" if default is None else f"`{name}: {default}`"
        for name, (_, default, _) in options.items()
    )


def corpus_table() -> str:
    """What the last ``make corpus`` found."""
    rows = json.loads(CORPUS.read_text())
    total = {"package": "all", **{key: sum(row[key] for row in rows) for key in COUNTS}}
    return _table(
        ("package", *COUNTS),
        ((str(row["package"]), *(str(row[key]) for key in COUNTS)) for row in [*rows, total]),
    )


def refusals_table() -> str:
    """Why classes were refused in the last ``make corpus``, the most frequent reason first."""
    found: Counter[str] = Counter()
    for row in json.loads(CORPUS.read_text()):
        found.update(row["refused_by_code"])
    return _table(
        ("code", "", "classes"),
        ((code, lookup(code).title, str(count)) for code, count in found.most_common()),
    )


def survey_table() -> str:
    """What the last ``make survey`` counted."""
    rows = json.loads(SURVEY.read_text())
    total = {"package": "all", **{key: sum(row[key] for row in rows) for key in SURVEYED}}
    return _table(
        ("package", *SURVEYED.values()),
        ((str(row["package"]), *(str(row[key]) for key in SURVEYED)) for row in [*rows, total]),
    )


def survey_starter_table() -> str:
    """What plans with the spec of ``pyroify init`` came to."""
    rows = json.loads(SURVEY_STARTER.read_text())
    return _table(
        (*STARTED.values(), "refusals by code"),
        (
            (*(str(row[key]) for key in STARTED), _by_count(row["codes"]))
            for row in sorted(rows, key=lambda row: -row["classes"])
        ),
    )


def _by_count(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{key} {count}" for key, count in ordered)


def owners_table() -> str:
    """What the last ``make owners`` found."""
    rows = json.loads(OWNERS.read_text())
    total = {
        **{key: sum(row[key] for row in rows) for key in OWNED},
        "source": "all",
        "trained": f"{sum(row['trained'] == 'yes' for row in rows)} of {len(rows)}",
    }
    columns = ("kind", *OWNED, "tests_before", "tests_after", "trained")
    return _table(
        ("project", "kind", *OWNED.values(), "own tests before", "after", "trained"),
        (
            (row["source"], *(str(row.get(column, "")) for column in columns))
            for row in [*rows, total]
        ),
    )


def owners_failing_table() -> str:
    """Tests of those projects that fail on the rewritten code alone, and why."""
    listed = yaml.safe_load(OWNERS.with_suffix(".yaml").read_text())["projects"]
    known = {project["name"]: project.get("fails", {}) for project in listed}
    return _table(
        ("project", "test", "why it fails"),
        (
            (row["name"], f"`{test}`", known[row["name"]].get(test, "not known"))
            for row in json.loads(OWNERS.read_text())
            for test in row["newly_failing"]
        ),
    )


def proofs_table() -> str:
    """How much of each package the last ``make proofs`` verified."""
    rows = json.loads(PROOFS.read_text())
    counted = [
        (row["package"], {how: Counter(row[how]["statuses"]) for how in PROOF_WAYS}) for row in rows
    ]
    total = {how: sum((counts[how] for _, counts in counted), Counter()) for how in PROOF_WAYS}
    heads = [
        f"{what} {how}"
        for how in PROOF_WAYS.values()
        for what in ("equal", "different", "not verified")
    ]
    return _table(
        ("package", "abstract", "nothing to call", *heads),
        (
            (
                name,
                str(counts["guessed"]["abstract"]),
                str(counts["guessed"]["nothing_to_call"]),
                *(text for how in PROOF_WAYS for text in _proven(counts[how])),
            )
            for name, counts in [*counted, ("all", total)]
        ),
    )


def _proven(counts: Mapping[str, int]) -> tuple[str, str, str]:
    differ = counts["different"] + counts["failed"]
    able = counts["equal"] + differ + counts["not_verified"]
    share = f"{counts['not_verified']} ({counts['not_verified'] / max(1, able):.0%})"
    return str(counts["equal"]), str(differ), share


def unproven_table() -> str:
    """Why classes were not verified in the last ``make proofs``, the most frequent reason first."""
    rows = json.loads(PROOFS.read_text())
    found = {
        how: sum((Counter(row[how]["reasons"]) for row in rows), Counter()) for how in PROOF_WAYS
    }
    kinds = sorted(
        {*found["guessed"], *found["recorded"]}, key=lambda kind: -found["guessed"][kind]
    )
    return _table(
        ("what is in the way", *PROOF_WAYS.values()),
        ((kind, *(str(found[how][kind]) for how in PROOF_WAYS)) for kind in kinds),
    )


def fuzz_table() -> str:
    """What the last ``make fuzz`` found."""
    figures = json.loads(FUZZ.read_text())
    return _table(
        ("", str(figures["classes"]) + " classes"),
        ((label, str(figures[key])) for key, label in FUZZ_ROWS.items()),
    )


def mutants_table() -> str:
    """How many mutants the last ``make mutants`` ran, and killed."""
    figures = json.loads(MUTANTS.read_text())
    packages = figures["packages"]
    total = {key: sum(row[key] for row in packages.values()) for key in ("run", "killed")}
    return _table(
        ("package", f"mutants run, of {figures['mutants']}", "killed", ""),
        (
            (name, str(row["run"]), str(row["killed"]), f"{row['killed'] / row['run']:.0%}")
            for name, row in {**packages, "all": total}.items()
        ),
    )


def planted_table() -> str:
    """The faults that tests/test_planted.py plants, and what `verify` says of each."""
    return _table(
        ("fault", "what is said"),
        ((fault["fault"], f"`{fault['said']}`") for fault in _planted() if "said" in fault),
    )


def missed_table() -> str:
    """Those that it does not find."""
    return _table(
        ("fault", "why it is not found"),
        ((fault["fault"], fault["missed"]) for fault in _planted() if "missed" in fault),
    )


def planted_count() -> str:
    """How many of them are found."""
    found = sum("said" in fault for fault in _planted())
    return f"**{found} of {len(_planted())}** planted faults are found.\n"


def _planted() -> list[dict[str, str]]:
    faults: list[dict[str, str]] = yaml.safe_load(PLANTED.read_text())["faults"]
    return faults


def survivors_list() -> str:
    """The mutants that no test killed, each with its change and the reason."""
    survivors = json.loads(MUTANTS.read_text())["survivors"]
    return "\n".join(
        f"`{_mutated(item['name'])}`: {item['reason']}\n\n```diff\n{item['change']}\n```\n"
        for item in survivors
    )


def _mutated(mutant: str) -> str:
    """The function that a mutant is of, as people name it."""
    module, _, function = mutant.rpartition(".")
    name, _, _ = function.rpartition("__mutmut_")
    return f"{module}.{name.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def guarantees_table() -> str:
    """What is promised, how it is tried, and what the last run of each said."""
    corpus = json.loads(CORPUS.read_text())
    fuzz = json.loads(FUZZ.read_text())
    owners = json.loads(OWNERS.read_text())
    mutants = json.loads(MUTANTS.read_text())["packages"].values()
    count = {key: sum(row[key] for row in corpus) for key in COUNTS}
    owned = {key: sum(row[key] for row in owners) for key in ("equal", "wrong", "not_verified")}
    run, killed = (sum(row[key] for row in mutants) for key in ("run", "killed"))
    found = sum("said" in fault for fault in _planted())
    rows = (
        (
            "A rewritten class computes what it did",
            f"[{len(corpus)} public packages](reference/corpus.md)",
            f"{count['equal']} of {count['built']} classes equal, {count['wrong']} wrong",
        ),
        (
            "So it does in projects as their owners have them",
            f"[{len(owners)} whole projects](reference/owners.md)",
            f"{owned['equal']} equal, {owned['wrong']} wrong, {owned['not_verified']} not verified",
        ),
        (
            "Every parameter is what the spec says, or it is said that it is not",
            f"[{fuzz['programs']} random programs](reference/fuzz.md)",
            f"{fuzz['sites']} parameters compared, {fuzz['silent']} programs silently wrong",
        ),
        (
            "A second run changes nothing",
            f"[{fuzz['programs']} random programs](reference/fuzz.md)",
            f"{fuzz['not_idempotent']} that a second run changes",
        ),
        (
            "`verify` sees what is wrong",
            "[faults planted in its results](reference/verification.md#faults-that-were-planted)",
            f"{found} of {len(_planted())} found",
        ),
        (
            "The tests of pyroify see what is wrong in pyroify",
            "[small changes of its code](reference/mutants.md)",
            f"{killed} of {run} found",
        ),
    )
    return _table(("promise", "tried on", "found"), rows)


def changelog_page() -> str:
    """CHANGELOG.md, with links from where this page stands."""
    text = (ROOT / "CHANGELOG.md").read_text()
    return f"{NOTE}\n{text.replace('](docs/', '](')}"


def walk_table() -> str:
    """What the last ``make walk`` counted, beside what is aimed at."""
    figures = json.loads(WALK.read_text())
    return _table(
        ("", "one layer", "one layer more", "aim"),
        (
            (label, str(figures["one"][key]), str(figures["more"][key]), aim)
            for key, (label, aim) in WALK_ROWS.items()
        ),
    )


def speed_ratios_table() -> str:
    """The figures of the last ``make bench`` beside their bars."""
    return _table(
        ("", "figure", "bar", ""),
        (
            (
                item["what"],
                f"{item['figure']:.3g} {item['unit']}",
                f"{'at most' if item['most'] else 'at least'} {item['bar']:g} {item['unit']}",
                "met" if (item["figure"] <= item["bar"]) == item["most"] else "**missed**",
            )
            for item in json.loads(SPEED.read_text())["rows"]
        ),
    )


def speed_sizes_table() -> str:
    """What was measured."""
    return _table(("repository", "size"), json.loads(SPEED.read_text())["sizes"].items())


def speed_stages_table() -> str:
    """The shares of the stages in the time of one run."""
    shares: dict[str, dict[str, float]] = json.loads(SPEED.read_text())["stages"]
    names = next(iter(shares.values()))
    return _table(
        ("", *names),
        ((tree, *(f"{found[name]:g}" for name in names)) for tree, found in shares.items()),
    )


def speed_worst_table() -> str:
    """What the worst cases cost in the last ``make bench``."""
    return _table(
        ("", "CPU seconds", "memory", ""),
        (
            (
                item["case"],
                f"{item['seconds']:.0f}",
                f"{item['memory']} MB",
                "done" if item["outcome"] == "done" else f"refused: {item['outcome']}",
            )
            for item in json.loads(SPEED.read_text())["worst"]
        ),
    )


def posterior_table() -> str:
    """The sds of the last ``make bench-train`` beside the exact ones."""
    return _table(
        ("objective", "fitted sd / exact sd", "aim"),
        (
            (row["objective"], f"{row['least']:.3f} to {row['most']:.3f}", row["aim"])
            for row in _training_figures("posterior")
        ),
    )


def scores_table(data: str) -> str:
    """The scores on one data set, of each seed and their mean."""
    rows = [row for row in _training_figures("scores") if row["data"].startswith(data)]
    columns = [name for name in rows[0] if name not in ("data", "predictor")]
    return _table(
        ("", *columns),
        ((row["predictor"], *(_seeds(row.get(name)) for name in columns)) for row in rows),
    )


def _seeds(scores: Sequence[float] | None) -> str:
    if scores is None:
        return ""
    return f"**{sum(scores) / len(scores):.3f}** ({', '.join(map(str, scores))})"


def speed_table() -> str:
    """The times of the last ``make bench-train`` and their ratios."""
    figures = _training_figures("speed")
    times = {(row["network"], row["step"]): row["milliseconds"] for row in figures}
    others = list(dict.fromkeys(step for _, step in times))[:3]
    return _table(
        ("network", "step", "ms", *(f"/ {other}" for other in others)),
        (
            (
                *(network, step, f"{time:.1f}"),
                *(f"{time / times[network, other]:.2f}" for other in others),
            )
            for (network, step), time in times.items()
        ),
    )


def memory_table() -> str:
    """What a million rows took in the last ``make bench-train``."""
    return _table(
        (
            "",
            "above the imports, MB",
            "with 25,000 rows, MB",
            "the difference / the numbers in float32",
            "to the first step, s",
        ),
        (
            (
                row["read"],
                f"{row['above']:.0f}",
                f"{row['fixed']:.0f}" if row["fixed"] else "",
                f"{(row['above'] - row['fixed']) / row['own']:.1f}",
                f"{row['first']:.1f}",
            )
            for row in _training_figures("memory")
        ),
    )


def smallest_script() -> str:
    """The training script of the smallest section ``svi:``, as a block of code."""
    section = yaml.safe_load(SMALLEST)
    script = emit_script(section, spec_name="pyroify.yaml", spec_text=SMALLEST).script
    return f"```python\n{script}```\n"


def _training_figures(name: str) -> list[dict[str, Any]]:
    figures: list[dict[str, Any]] = json.loads(TRAINING.read_text())[name]
    return figures


def uci_table(score: str) -> str:
    """One score of every method on every set, the mean over its splits, and published ones."""
    cells = json.loads(UCI.read_text())["cells"]
    sets = list(dict.fromkeys(cell["set"] for cell in cells))
    found: dict[str, dict[str, list[float]]] = {}
    for cell in cells:
        by_set = found.setdefault(cell["method"], {})
        by_set.setdefault(cell["set"], []).append(cell[score])
    published = json.loads(UCI_PUBLISHED.read_text()).get(score, {})
    for method, values in published.items():
        found[f"{method} (published)"] = {name: [value] for name, value in values.items()}
    return _table(
        ("", *sets, "mean"),
        (
            (method, *(_mean(by_set.get(name, [])) for name in sets), _mean_over(sets, by_set))
            for method, by_set in found.items()
        ),
    )


def _mean(values: Sequence[float]) -> str:
    if not values:
        return ""
    count = f" ({len(values)})" if len(values) > 1 else ""
    return f"{sum(values) / len(values):.3g}{count}"


def _mean_over(sets: Sequence[str], by_set: Mapping[str, Sequence[float]]) -> str:
    if not all(name in by_set for name in sets):
        return ""
    means = [sum(by_set[name]) / len(by_set[name]) for name in sets]
    return f"**{sum(means) / len(means):.3f}**"


def uci_chain_table() -> str:
    """The sd of predictions beside that of a long chain."""
    rows = json.loads(UCI.read_text())["hmc"]
    return _table(
        ("", "sd / sd of the chain", "NLL", "seconds"),
        (
            (row["method"], f"{row['sd_ratio']:.2f}", f"{row['nll']:.3f}", str(row["seconds"]))
            for row in rows
        ),
    )


def uci_sources() -> str:
    """Where the published figures come from."""
    sources = json.loads(UCI_PUBLISHED.read_text())["sources"]
    return "".join(f"- {method}: {source}\n" for method, source in sources.items())


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (headings, ["---"] * len(headings), *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


PAGES: dict[str, Callable[[], str]] = {
    "docs/changelog.md": changelog_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/json.md": report_page,
    "docs/reference/python.md": python_page,
    "docs/reference/report.schema.json": report_schema_text,
    "docs/reference/rules.md": rules_page,
    **{f"docs/reference/rules/{code}.md": partial(rule_page, code) for code in all_codes()},
    "docs/reference/spec.schema.json": spec_schema_text,
}
TABLES: dict[str, Callable[[], str]] = {
    "spec": partial(keys_table, SPEC),
    "rule": partial(keys_table, RULE),
    "latent": partial(keys_table, LATENT),
    "options": partial(keys_table, OPTIONS),
    "example": partial(keys_table, EXAMPLE_KEYS),
    **{
        f"svi_{table.what}": partial(settings_table, table)
        for table in (SVI, MODEL, DATA, OPTIMIZER, ELBO, NUTS, ENSEMBLE, LAPLACE, HANDLERS)
    },
    "distributions": distributions_table,
    "constraints": constraints_table,
    "layers": layers_table,
    "likelihoods": lambda: families_table("likelihoods"),
    "guides": lambda: families_table("guides"),
    "corpus": corpus_table,
    "refusals": refusals_table,
    "survey": survey_table,
    "survey_starter": survey_starter_table,
    "fuzz": fuzz_table,
    "proofs": proofs_table,
    "unproven": unproven_table,
    "mutants": mutants_table,
    "survivors": survivors_list,
    "planted": planted_table,
    "missed": missed_table,
    "found": planted_count,
    "posterior": posterior_table,
    "diabetes": lambda: scores_table("diabetes"),
    "digits": lambda: scores_table("digits"),
    "speed": speed_table,
    "memory": memory_table,
    "script": smallest_script,
    "speed_ratios": speed_ratios_table,
    "speed_sizes": speed_sizes_table,
    "speed_stages": speed_stages_table,
    "speed_worst": speed_worst_table,
    **{
        f"uci_{score}": partial(uci_table, score)
        for score in ("nll", "coverage_90", "rmse", "crps", "seconds")
    },
    "uci_hmc": uci_chain_table,
    "uci_sources": uci_sources,
    "walk": walk_table,
    "guarantees": guarantees_table,
    "owners": owners_table,
    "owners_failing": owners_failing_table,
}
HOLD_TABLES = (
    "README.md",
    "docs/guarantees.md",
    "docs/reference/spec.md",
    "docs/reference/svi.md",
    "docs/reference/corpus.md",
    "docs/reference/survey.md",
    "docs/reference/fuzz.md",
    "docs/reference/mutants.md",
    "docs/reference/training.md",
    "docs/reference/speed.md",
    "docs/reference/walk.md",
    "docs/reference/owners.md",
    "docs/reference/verification.md",
    "docs/reference/uci.md",
)


def refresh_tables(text: str) -> str:
    """``text`` with every table between ``<!-- table: NAME -->`` and ``<!-- /table -->`` anew."""
    return TABLE.sub(lambda m: f"{m['head']}{TABLES[m['name']]()}{m['tail']}", text)


def sessions() -> list[str]:
    """The pages that show commands with their output."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    shown = [page for page in pages if BLOCK.search(page.read_text())]
    return [page.relative_to(ROOT).as_posix() for page in shown]


def refresh_session(text: str) -> str:
    """``text`` with the output of every command that it shows, each run where the last one was."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        if made := PROJECT.search(text):
            project.mkdir()
            _run(made["command"], 0, project)
        else:
            shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("__pycache__", "*.pt"))
        _run("git init -q", 0, project)
        return BLOCK.sub(lambda block: _run_block(block, project), text)


def _run_block(block: re.Match[str], project: Path) -> str:
    if block["file"]:
        path = project / block["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["body"])
        return block[0]
    if not (project / ".git" / "index").exists():
        _run("git add . && git commit -qm Plain", 0, project)
    is_diff = block["language"] == "diff"
    output = _run(block["command"], int(block["code"] or 0), project, with_notes=not is_diff)
    if block["varies"] == "varies":
        return block[0]
    prompt = f"$ {block['command']}\n" if block["language"] == "console" else ""
    shown = f"{prompt}{output}"
    if block["varies"] and NUMBER.sub("", shown) == NUMBER.sub("", block["body"]):
        return block[0]
    return f"{block['head']}{shown}{block['tail']}"


def _run(command: str, expected: int, project: Path, with_notes: bool = True) -> str:
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "REPOSITORY": str(ROOT),
        "GIT_AUTHOR_NAME": "docs",
        "GIT_AUTHOR_EMAIL": "docs@localhost",
        "GIT_COMMITTER_NAME": "docs",
        "GIT_COMMITTER_EMAIL": "docs@localhost",
    }
    done = subprocess.run(
        command,
        shell=True,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_notes else subprocess.PIPE,
        text=True,
    )
    if done.returncode != expected:
        what = f"`{command}` ended with {done.returncode}, not {expected}"
        sys.exit("\n".join((what, done.stdout, done.stderr or "")))
    return done.stdout.replace(str(project), ".")


def stale_pages() -> Iterator[tuple[Path, str]]:
    """Each generated page that is out of date, with the text it should have."""
    for name, make in PAGES.items():
        yield from _if_changed(ROOT / name, make())
    for name in HOLD_TABLES:
        yield from _if_changed(ROOT / name, refresh_tables((ROOT / name).read_text()))


def stale_sessions() -> Iterator[tuple[Path, str]]:
    """The same for files that show commands and their output."""
    for name in sessions():
        yield from _if_changed(ROOT / name, refresh_session((ROOT / name).read_text()))


def _if_changed(path: Path, text: str) -> Iterator[tuple[Path, str]]:
    if not path.exists() or path.read_text() != text:
        yield path, text


def main() -> None:
    """Write what is out of date, or only name it."""
    check = sys.argv[1:] == ["--check"]
    outdated = [*stale_pages(), *stale_sessions()]
    for path, text in outdated:
        print(f"{'out of date' if check else 'refreshed'}: {path.relative_to(ROOT)}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    sys.exit(check and bool(outdated))


if __name__ == "__main__":
    main()
