"""Reports from plain data: exit codes, counts, text, JSON and diff; and how formats are found."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pyroify.decide.model import ClassPlan, HeldClass, Plan, RuleRef, SitePlan, Training
from pyroify.diagnostics import Finding
from pyroify.pipeline import FileResult, Outcome
from pyroify.project import Project
from pyroify.report import formats
from pyroify.report.diff import colour_diff, render_diff
from pyroify.report.formats.json import render_json
from pyroify.report.plan import describe_action, render_plan
from pyroify.report.run import Report, exit_code, make_report
from pyroify.report.site import NamedSite, explain_site
from pyroify.report.starter import default_spec, render_starter
from pyroify.report.text import render_findings, render_run, render_scripts
from pyroify.report.verification import verification_exit_code
from pyroify.spec.load import parse_spec
from pyroify.verify import Status, VerifyResult

SPEC = parse_spec(
    """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, fan_in ** -0.5)
  - match: "Net.scale"
    param: positive
    init: exp
  - match: "**.bias"
    keep: true
""",
    "pyroify.yaml",
)
RULES = [RuleRef(rule.index, rule.match, rule.line) for rule in SPEC.rules]
REFUSED = Finding("b.py", 9, 5, "PYR002", "self.layers is a list", "use nn.ModuleList", "b:Stack")
WARNING = Finding("a.py", 3, 1, "PYR003", "has no effect")
ERROR = Finding("c.py", 1, 1, "PYR203", "not valid Python")
SITES = (
    SitePlan("fc.weight", 5, 9, "sample", "[1, 3]", "Linear", "PyroSample(...)", RULES[0]),
    SitePlan("fc.bias", 5, 9, "keep", "[1]", "Linear", "", RULES[2], (RULES[0],)),
    SitePlan("scale", 6, 9, "param", "[]", "", "PyroParam(...)", RULES[1], (RULES[0],)),
    SitePlan("frozen", 7, 9, "keep", "", "", "", RULES[0]),
    SitePlan("other", 8, 9, "keep", "[2]"),
)
NET = ClassPlan("a", "Net", "a.py", 4, 1, "converted", SITES)
STACK = ClassPlan("b", "Stack", "b.py", 7, 1, "refused", (), (REFUSED,))
PLAIN = ClassPlan("a", "Plain", "a.py", 20, 1, "unchanged")
SUPPRESSED = ClassPlan("a", "Left", "a.py", 30, 1, "suppressed", SITES)
OUTSIDE = Finding("a.py", 9, 9, "PYR046", "nn.Sequential is made outside of classes")
NOTEBOOK = Finding("try.ipynb", 1, 1, "PYR240", "defines Net")
AMBIGUOUS = Finding("a.py", 1, 1, "PYR206", "import of b may mean b.py or c/b.py")
CHANGED = FileResult("a.py", b"old\n", b"new\n")
SAME = FileResult("d.py", b"old\n", b"old\n")
FAILED = FileResult("c.py", b"", None, (ERROR,), "Traceback: boom\n")


def report(
    *classes: ClassPlan,
    results: tuple[FileResult, ...] = (),
    findings: tuple[Finding, ...] = (),
    written: bool = False,
) -> Report:
    return Report(Path("/project"), SPEC, classes, results, findings, written)


class TestExitCode:
    @pytest.mark.parametrize(
        ("given", "rewrite", "check"),
        [
            (report(NET), 0, 0),
            (report(NET, results=(SAME,)), 0, 0),
            (report(NET, results=(CHANGED,)), 0, 1),
            (report(NET, findings=(WARNING,)), 0, 0),
            (report(NET, STACK, findings=(REFUSED,)), 1, 1),
            (report(STACK), 1, 1),
            (report(NET, findings=(REFUSED,)), 1, 1),
            (report(NET, findings=(REFUSED, ERROR)), 2, 2),
            (report(NET, results=(CHANGED,), findings=(ERROR,)), 2, 2),
        ],
        ids=[
            "nothing to do",
            "a file without a change",
            "a change",
            "a warning",
            "a refused class",
            "a refused class without a finding",
            "a refusal outside classes",
            "an error beside a refusal",
            "an error beside a change",
        ],
    )
    def test_of_a_report(self, given: Report, rewrite: int, check: int) -> None:
        assert exit_code(given, would_change=False) == rewrite
        assert exit_code(given, would_change=True) == check

    @pytest.mark.parametrize(("floor", "expected"), [(50, 0), (50.1, 1), (0, 0)])
    def test_min_coverage_is_what_must_be_converted(self, floor: float, expected: int) -> None:
        given = report(NET, PLAIN, STACK, findings=(REFUSED,))
        assert exit_code(given, would_change=False, min_coverage=floor) == expected

    @pytest.mark.parametrize(
        "apart",
        [
            report(NET, SUPPRESSED),
            report(NET, findings=(OUTSIDE,)),
            report(NET, findings=(NOTEBOOK,)),
        ],
        ids=["suppressed", "a network outside of classes", "a notebook"],
    )
    def test_min_coverage_counts_what_is_counted_apart(self, apart: Report) -> None:
        assert exit_code(apart, would_change=False, min_coverage=50) == 0
        assert exit_code(apart, would_change=False, min_coverage=50.1) == 1

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (report(), 0),
            (report(PLAIN), 0),
            (report(findings=(AMBIGUOUS,)), 1),
            (report(findings=(OUTSIDE,)), 1),
            (report(SUPPRESSED), 1),
        ],
        ids=["nothing", "nothing to convert", "a refusal", "a network", "all suppressed"],
    )
    def test_min_coverage_where_there_is_no_class_to_count(
        self, given: Report, expected: int
    ) -> None:
        assert given.coverage is None
        assert exit_code(given, would_change=False, min_coverage=1) == expected

    def test_min_coverage_excuses_neither_errors_nor_changes(self) -> None:
        broken = report(NET, findings=(ERROR,))
        assert exit_code(broken, would_change=False, min_coverage=0) == 2
        pending = report(NET, results=(CHANGED,))
        assert exit_code(pending, would_change=True, min_coverage=0) == 1


class TestReport:
    def test_leaves_out_what_was_not_selected(self) -> None:
        project = Project(Path("/project"), None, ("a.py", "b.py", "c.py"), ("a.py",))
        rule = Finding("pyroify.yaml", 3, 5, "PYR150", "matches nothing")
        plan = Plan((NET, STACK), (), (WARNING, ERROR, rule))
        made = make_report(project, SPEC, Outcome(plan, ()))
        assert made.classes == (NET,)
        assert made.findings == (WARNING, rule)

    def test_leaves_out_what_is_accepted(self) -> None:
        project = Project(Path("/project"), None, ("a.py",), ("a.py",))
        rule = Finding("pyroify.yaml", 3, 5, "PYR150", "matches nothing")
        outcome = Outcome(Plan((), (), (rule,)), ())
        assert make_report(project, SPEC, outcome, accepted={"PYR150"}).findings == ()

    def test_counts(self) -> None:
        given = report(NET, PLAIN, STACK, SUPPRESSED, results=(CHANGED, SAME, FAILED))
        assert given.statuses == {
            "converted": 1,
            "to_convert": 0,
            "unchanged": 1,
            "refused": 1,
            "suppressed": 1,
        }
        assert given.actions == {"sample": 1, "param": 1, "keep": 3 + len(SITES)}
        assert given.refusals == {"PYR002": 1}
        assert given.coverage == 50
        assert given.coverage_of_all == pytest.approx(100 / 3)
        assert (given.changed, given.failed) == ((CHANGED,), (FAILED,))

    def test_coverage_is_over_classes_that_some_rule_touches(self) -> None:
        holder = replace(NET, qualname="Holder", sites=(), parts=(HeldClass("net", "a:Net", 5),))
        base = replace(NET, qualname="Base", sites=())
        unasked = replace(NET, qualname="Unasked", sites=NET.sites[4:])
        assert report(NET, PLAIN, base, unasked).coverage == 100
        assert report(replace(holder, status="refused"), NET).coverage == 50
        assert report(PLAIN, base, unasked).coverage is None

    def test_what_is_still_to_be_written_is_not_converted(self) -> None:
        pending = replace(NET, pending=True)
        assert report(pending, STACK).statuses["to_convert"] == 1
        assert report(pending, STACK).coverage == 0
        assert report(pending, STACK, written=True).coverage == 50

    def test_without_a_class_to_convert_there_is_no_coverage(self) -> None:
        assert (report().coverage, report().coverage_of_all) == (None, None)

    def test_findings_are_sorted_and_said_once(self) -> None:
        result = FileResult("b.py", b"", None, (REFUSED,))
        outcome = Outcome(Plan((STACK,), (), (ERROR, WARNING)), (result,))
        assert outcome.findings == (WARNING, REFUSED, ERROR)


class TestText:
    def test_a_finding_has_place_code_message_and_help(self) -> None:
        assert render_findings([REFUSED, WARNING], Path.cwd()) == (
            "b.py:9:5 PYR002 self.layers is a list\n"
            "    help: use nn.ModuleList\n"
            "a.py:3:1 PYR003 has no effect\n"
        )

    def test_a_run(self) -> None:
        given = report(NET, STACK, results=(CHANGED, FAILED), findings=(REFUSED,), written=True)
        assert render_run(given).splitlines()[2:] == [
            "rewrote /project/a.py",
            "1 file changed, 1 file failed",
            "2 classes: 1 converted, 0 unchanged, 1 refused (coverage 50.0 %)",
            "refused by code: PYR002 x1; `pyroify rule CODE` explains",
        ]

    def test_what_is_counted_apart_has_lines_of_its_own(self) -> None:
        findings = (OUTSIDE, replace(OUTSIDE, line=12), NOTEBOOK, ERROR)
        given = report(NET, SUPPRESSED, findings=findings, written=True)
        assert render_run(given).splitlines()[-6:] == [
            "2 classes: 1 converted, 0 unchanged, 0 refused (coverage 100.0 %)",
            "1 class suppressed by a comment",
            "1 file or folder not readable",
            "2 networks outside of classes",
            "1 notebook that cannot be read",
            "coverage with these: 16.7 %",
        ]

    def test_nothing_to_convert_is_no_coverage(self) -> None:
        last = "1 class: 0 converted, 1 unchanged, 0 refused (coverage n/a)\n"
        assert render_run(report(PLAIN)).endswith(last)

    def test_a_dry_run(self) -> None:
        lines = render_run(report(NET, results=(CHANGED,))).splitlines()
        assert lines[:2] == ["would rewrite /project/a.py", "1 file to change"]

    def test_ends_with_the_scripts_that_train_a_converted_class(self) -> None:
        trainings = (
            Training("train.py", 7, ("Net", "Deep"), "main.py"),
            Training("tune.py", 3, (), "tune.py"),
        )
        given = replace(report(NET, written=True), trainings=trainings)
        assert render_run(given).splitlines()[-4:] == [
            "2 scripts train converted classes without their random parameters:",
            "  /project/train.py:7 Net, Deep",
            "  /project/tune.py:3 what it is given",
            "`pyroify emit --from /project/main.py` writes a script that trains them",
        ]

    def test_scripts_are_named_as_a_shell_reads_them_and_notebooks_are_none(self) -> None:
        trainings = (
            Training("Net (old).py", 7, ("Net",), "Net (old).py"),
            Training("net.ipynb", 3, ("Net",), "net.ipynb"),
        )
        assert render_scripts(trainings, Path("/project")).splitlines() == [
            "/project/Net (old).py:7 trains Net; `pyroify emit --from '/project/Net (old).py'` "
            "takes network, data and loss from it",
            "/project/net.ipynb:3 trains Net",
        ]

    def test_what_uses_the_classes_is_said_wherever_it_is(self) -> None:
        files = ("a.py", "scripts/train.py", "tests/test_a.py")
        project = Project(Path("/project"), None, files, ("a.py",))
        spec = replace(SPEC, exclude=("tests/**",))
        uses = tuple(Finding(path, 1, 1, "PYR010", "trains less") for path in files)
        other = Finding("scripts/train.py", 1, 1, "PYR203", "not valid Python")
        outcome = Outcome(Plan(findings=(other,), uses=uses), ())
        found = make_report(project, spec, outcome).findings
        assert [finding.path for finding in found] == ["a.py", "scripts/train.py"]

    def test_quiet_keeps_errors_and_refusals(self) -> None:
        given = report(NET, STACK, results=(CHANGED,), findings=(REFUSED, WARNING, ERROR))
        quiet = render_run(given, quiet=True)
        assert quiet == render_findings([REFUSED, ERROR], Path("/project"))

    def test_verbose_shows_classes_and_tracebacks(self) -> None:
        verbose = render_run(report(NET, STACK, results=(FAILED,)), verbose=True)
        assert "converted a:Net\nrefused b:Stack\nTraceback: boom\n" in verbose


class TestPlan:
    def test_groups_sites_by_file_and_class(self) -> None:
        given = replace(report(NET, PLAIN, STACK), pending=frozenset({"a.py"}))
        lines = render_plan(given).splitlines()
        assert [re.sub("  +", " | ", line.strip()) for line in lines] == [
            "a.py (to rewrite)",
            "Net, line 4: converted",
            "site | shape | layer | becomes | decided by",
            "fc.weight | [1, 3] | Linear | sample Normal(0, fan_in ** -0.5) | ** (pyroify.yaml:3)",
            "fc.bias | [1] | Linear | keep | **.bias (pyroify.yaml:8)",
            "scale | [] | - | param positive, init exp | Net.scale (pyroify.yaml:5)",
            "frozen | ? | - | keep | ** (pyroify.yaml:3)",
            "other | [2] | - | keep | no rule",
            "Plain, line 20: stays as it is",
            "",
            "b.py",
            "Stack, line 7: refused PYR002",
            "",
            "5 parameters: 1 sample, 1 param, 3 keep",
            "3 classes: 1 converted, 1 unchanged, 1 refused",
            "1 file to rewrite",
        ]

    def test_columns_of_a_table_line_up(self) -> None:
        lines = render_plan(report(NET)).splitlines()[2:8]
        starts = [[m.start() for m in re.finditer(r"(?<=  )\S", line)] for line in lines]
        assert all(row == starts[0] for row in starts)

    def test_explains_which_rules_were_beaten(self) -> None:
        bias = NamedSite(NET, NET.sites[1])
        assert explain_site(bias, SPEC) == (
            "a:Net.fc.bias\n"
            "  declared   a.py:5:9\n"
            "  shape      [1]\n"
            "  layer      Linear\n"
            "  becomes    keep\n"
            "  decided by rule 3, pyroify.yaml:8: **.bias -> keep\n"
            "  which beat rule 1, pyroify.yaml:3: ** -> sample Normal(0, fan_in ** -0.5)\n"
        )

    def test_explains_a_site_that_no_rule_matches(self) -> None:
        other = NamedSite(NET, NET.sites[4])
        assert "no rule" in explain_site(other, SPEC)

    def test_says_keep_where_the_plan_overrides_the_rule(self) -> None:
        frozen = NamedSite(NET, NET.sites[3])
        assert "becomes    keep\n" in explain_site(frozen, SPEC)

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (0, "sample Normal(0, fan_in ** -0.5)"),
            (1, "param positive, init exp"),
            (2, "keep"),
        ],
    )
    def test_describes_an_action(self, number: int, text: str) -> None:
        assert describe_action(SPEC.rules[number].action) == text


class TestJson:
    GIVEN = report(
        NET, STACK, results=(CHANGED, SAME, FAILED), findings=(WARNING, REFUSED), written=True
    )

    def test_keys_are_the_documented_ones(self) -> None:
        document = json.loads(render_json(self.GIVEN, "rewrite", 1))
        assert list(document) == [
            *("version", "pyroify", "command", "root", "spec", "written", "exit_code"),
            *("summary", "lock", "files", "classes", "trainings", "findings"),
        ]
        assert list(document["summary"]) == [
            *("files", "classes", "sites", "coverage", "refused"),
            *("unreadable", "networks", "notebooks", "coverage_of_all"),
        ]
        assert set(document["classes"][0]) == {
            *("name", "module", "qualname", "path", "line", "column", "status", "codes", "sites"),
            *("stale_methods", "parts", "bases", "given", "pending"),
        }
        assert set(document["classes"][0]["sites"][0]) == {
            *("path", "line", "column", "action", "shape", "layer", "source", "rule", "beaten"),
            *("spared", "start", "foreign"),
        }
        assert set(document["findings"][0]) == {
            *("path", "line", "column", "code", "severity", "message", "help", "subject"),
            *("sites", "others"),
        }

    def test_values(self) -> None:
        document = json.loads(render_json(self.GIVEN, "rewrite", 1))
        assert document["summary"] == {
            "files": {"changed": 1, "failed": 1},
            "classes": {
                "converted": 1,
                "to_convert": 0,
                "unchanged": 0,
                "refused": 1,
                "suppressed": 0,
            },
            "sites": {"sample": 1, "param": 1, "keep": 3},
            "coverage": 50.0,
            "refused": {"PYR002": 1},
            "unreadable": 0,
            "networks": 0,
            "notebooks": 0,
            "coverage_of_all": 50.0,
        }
        assert [(file["path"], file["status"]) for file in document["files"]] == [
            ("a.py", "changed"),
            ("d.py", "unchanged"),
            ("c.py", "failed"),
        ]
        assert [entry["codes"] for entry in document["classes"]] == [[], ["PYR002"]]
        bias = document["classes"][0]["sites"][1]
        assert bias["rule"] == {
            "index": 2,
            "match": "**.bias",
            "line": 8,
            "section": "priors",
        }
        assert [rule["match"] for rule in bias["beaten"]] == ["**"]
        assert [f["severity"] for f in document["findings"]] == ["warning", "refused"]

    def test_the_diff_comes_on_demand(self) -> None:
        plain = json.loads(render_json(self.GIVEN, "rewrite", 1))
        with_diff = json.loads(render_json(self.GIVEN, "rewrite", 1, with_diff=True))
        assert "diff" not in plain["files"][0]
        assert with_diff["files"][0]["diff"].endswith("-old\n+new\n")
        assert with_diff["files"][1]["diff"] == ""


class TestDiff:
    def test_of_one_line(self) -> None:
        assert render_diff([CHANGED]) == b"--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-old\n+new\n"

    def test_leaves_out_what_did_not_change(self) -> None:
        assert render_diff([SAME, FAILED]) == b""

    def test_says_where_the_final_newline_is_missing(self) -> None:
        diff = render_diff([FileResult("a.py", b"old", b"new")])
        assert diff.endswith(
            b"-old\n\\ No newline at end of file\n+new\n\\ No newline at end of file\n"
        )

    def test_form_feeds_and_carriage_returns_end_no_line(self) -> None:
        before = b"a\x0cb\rc\x1cd\r\n"
        assert b"-" + before in render_diff([FileResult("a.py", before, b"x\n")])

    def test_bytes_of_other_encodings_pass(self) -> None:
        assert b"+\xe9\n" in render_diff([FileResult("a.py", b"", b"\xe9\n")])

    def test_colour_only_adds_escapes(self) -> None:
        diff = render_diff([CHANGED])
        coloured = colour_diff(diff)
        assert b"\x1b[32m+new\x1b[0m\n" in coloured
        assert b"\x1b[31m-old\x1b[0m\n" in coloured
        for escape in (b"\x1b[0m", b"\x1b[1m", b"\x1b[31m", b"\x1b[32m", b"\x1b[36m"):
            coloured = coloured.replace(escape, b"")
        assert coloured == diff


def starter(*entries: ClassPlan) -> str:
    plan = Plan(entries)
    return render_starter(plan, lambda _: plan)


class TestStarter:
    def test_can_be_loaded(self) -> None:
        spec = parse_spec(starter(NET, STACK), "pyroify.yaml")
        assert [rule.match for rule in spec.rules] == ["**", "**"]
        assert spec.rules[0] == default_spec().rules[0]

    def test_keeps_norm_layers(self) -> None:
        norm = SitePlan("norm.weight", 5, 9, "sample", "[3]", "LayerNorm")
        entry = ClassPlan("a", "Net", "a.py", 4, 1, "converted", (norm,))
        spec = parse_spec(starter(entry), "pyroify.yaml")
        assert spec.rules[1].layers == ("*Norm*",)

    def test_names_sites_and_refused_classes(self) -> None:
        text = starter(NET, STACK)
        assert '  #   - match: "a:Net.fc.weight"  # Linear [1, 3]\n' in text
        assert '  #   - match: "a:Net.other"  # [2]\n' in text
        assert '  #   - match: "a:Net.frozen"\n' in text
        assert "  #   b:Stack is refused; `pyroify plan` says why\n" in text


class TestFormats:
    """A file in the folder of formats is a format, of the commands it has a function for."""

    COUNT = """\
from pyroify.report.formats import Output


def render_plan(report, exit_code):
    return Output(f"{len(report.classes)} classes, exit code {exit_code}\\n", "counted\\n")
"""
    NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
"""

    @pytest.fixture
    def run(self, lay_out: Callable) -> Callable[..., subprocess.CompletedProcess[str]]:
        files = {"net.py": self.NET, "pyroify.yaml": SPEC.text, "formats/count.py": self.COUNT}
        root = lay_out(files)

        def run(*args: str) -> subprocess.CompletedProcess[str]:
            program = f"""
from pyroify.report import formats
formats.__path__.append({str(root / "formats")!r})
from pyroify.cli import main
main({list(args)!r})
"""
            command = [sys.executable, "-c", program]
            return subprocess.run(command, cwd=root, capture_output=True, text=True)

        return run

    def test_a_new_file_is_offered_where_it_fits(self, run: Callable) -> None:
        others = sorted((*formats.format_names("plan")[1:], "count"))
        assert f"--format [text|{'|'.join(others)}]" in run("plan", "--help").stdout
        offered = "|".join(formats.format_names("rewrite"))
        assert f"--format [{offered}]" in run("rewrite", "--help").stdout
        refused = run("verify", "--format", "count")
        assert (refused.returncode, "'count' is not one of" in refused.stderr) == (2, True)

    def test_a_new_file_is_used(self, run: Callable) -> None:
        done = run("plan", "--format", "count", "--allow-unmatched")
        assert (done.returncode, done.stdout) == (0, "1 classes, exit code 0\n")
        assert done.stderr == "counted\n"

    def test_a_failure_needs_no_function(self, run: Callable) -> None:
        done = run("plan", "--format", "count", "--spec", "none.yaml")
        assert (done.returncode, done.stdout) == (2, "")
        assert "none.yaml" in done.stderr

    @pytest.mark.parametrize("command", ["plan", "rewrite", "verify"])
    def test_text_is_the_first_choice(self, command: str) -> None:
        first, *others = formats.format_names(command)
        assert (first, "json" in others) == ("text", True)

    def test_offering_formats_imports_none(self) -> None:
        program = "import sys, pyroify.cli; print(*sys.modules)"
        command = [sys.executable, "-c", program]
        loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert "pyroify.report.formats" in loaded
        assert not [name for name in loaded if name.startswith("pyroify.report.formats.")]


COMPARED = {
    "all are equal": (["equal", "equal"], None, 0),
    "one is left": (["equal", "not_verified"], None, 1),
    "one is left, and may be": (["equal", "not_verified"], 50, 0),
    "more are left than may be": (["equal", "not_verified"], 50.1, 1),
    "none could be, and none need be": (["not_verified"], 0, 0),
    "one differs, whatever the floor": (["equal", "different"], 0, 2),
    "one fails": (["failed"], 0, 2),
    "what has nothing to compare is apart": (["equal", "abstract", "nothing_to_call"], None, 0),
    "nor does it lower a rate": (["equal", "abstract", "not_verified"], 50, 0),
    "nothing but that": (["abstract"], None, 1),
}


@pytest.mark.parametrize("row", COMPARED.values(), ids=COMPARED)
def test_exit_code_of_a_verification(row: tuple[list[Status], float | None, int]) -> None:
    statuses, floor, code = row
    results = [VerifyResult("net:Net", "net.py", status) for status in statuses]
    assert verification_exit_code(results, floor) == code
