"""Reports for programs: GitHub, GitLab, SARIF, JUnit; on stdout, or in a file beside the text."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from conftest import LayOut, Run

from pyroify.report import formats
from pyroify.verify import VerifyResult

SPEC = """\
version: 1
priors:
  - {match: "**", sample: "Normal(0, 1)"}
"""
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)


class Cached(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)

    def named_children(self):
        return iter(())


class Holder(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.body = getattr(nn, kind)(3)

    def named_children(self):
        return iter(())
"""
RESULTS = (
    VerifyResult("a:Net", "a.py", "equal"),
    VerifyResult("a:Other", "a.py", "different", "forward(): off by 1"),
    VerifyResult("b:Base", "b.py", "abstract", "is abstract"),
    VerifyResult("b:Lost", "b.py", "not_verified", "50% <missing>, and more"),
)


@pytest.fixture
def said(lay_out: LayOut, run: Run) -> Callable[..., str]:
    lay_out({"net.py": NET, "pyroify.yaml": SPEC})

    def say(name: str, *arguments: str) -> str:
        return run(*(arguments or ("rewrite", "--check")), "--format", name).out

    return say


def verified(name: str) -> str:
    return str(formats.renderer(name, "verify")(Path("/root"), RESULTS, 2).result)


class TestGitHub:
    def test_a_finding_is_a_remark_at_its_line(self, said: Callable[..., str]) -> None:
        line = next(line for line in said("github").splitlines() if "PYR047" in line)
        assert line.startswith("::error file=net.py,line=")
        assert ",title=PYR047::Holder.named_children takes the place" in line

    def test_a_file_that_would_change_is_one(self, said: Callable[..., str]) -> None:
        assert "::error file=net.py,line=1,col=1,title=pyroify::" in said("github")

    def test_people_read_the_text_in_the_log(self, said: Callable[..., str], run: Run) -> None:
        ended = run("rewrite", "--check", "--format", "github")
        assert "3 classes: " in ended.err

    def test_signs_with_a_meaning_are_escaped(self) -> None:
        (line,) = (line for line in verified("github").splitlines() if "Lost" in line)
        assert line.endswith("::b:Lost is not verified: 50%25 <missing>, and more")


class TestGitLab:
    def test_is_a_list_of_findings(self, said: Callable[..., str]) -> None:
        (entry,) = [e for e in json.loads(said("gitlab")) if e["check_name"] == "PYR047"]
        assert entry["severity"] == "major"
        assert entry["location"]["path"] == "net.py"
        assert entry["location"]["lines"]["begin"] > 1

    def test_lines_do_not_move_a_fingerprint(self, said: Callable[..., str], run: Run) -> None:
        before = {entry["fingerprint"] for entry in json.loads(said("gitlab"))}
        Path("net.py").write_text("import torch\n" + NET)
        after = {entry["fingerprint"] for entry in json.loads(said("gitlab"))}
        assert before == after

    def test_each_has_a_fingerprint_of_its_own(self, said: Callable[..., str]) -> None:
        found = [entry["fingerprint"] for entry in json.loads(said("gitlab"))]
        assert len(found) == len(set(found)) > 0


def replaced(path: Path, changes: Sequence[Any]) -> str:
    """A file once a tool has put all of a fix's replacements into it."""
    text = path.read_bytes().decode() if path.exists() else ""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    for change in reversed(changes):
        at = change["deletedRegion"]
        start = starts[at["startLine"] - 1] + at["startColumn"] - 1
        end = starts[at["endLine"] - 1] + at["endColumn"] - 1
        text = text[:start] + change["insertedContent"]["text"] + text[end:]
    return text


class TestSarif:
    def test_rules_and_results(self, said: Callable[..., str]) -> None:
        document = json.loads(said("sarif"))
        (run,) = document["runs"]
        rules = run["tool"]["driver"]["rules"]
        result = next(item for item in run["results"] if item["ruleId"] == "PYR047")
        assert document["version"] == "2.1.0"
        assert rules[result["ruleIndex"]]["id"] == "PYR047"
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "net.py"
        assert place["region"]["startLine"] >= 1

    @pytest.mark.parametrize(
        "arguments", [["rewrite", "--check"], ["plan"], ["rewrite", "--spec", "none"]]
    )
    def test_is_what_classes_made_of_the_schema_take(
        self, said: Callable[..., str], arguments: list[str]
    ) -> None:
        """They know every key, which are needed, and the words that may stand; no more."""
        model = pytest.importorskip("pydantic_sarif.model")
        for text in (said("sarif", *arguments), verified("sarif")):
            taken = model.StaticAnalysisResultsFormatSarifVersion210JsonSchema
            taken.model_validate_json(text)
            with pytest.raises(ValueError, match="nowhere"):
                taken.model_validate_json(text.replace('"runs"', '"nowhere"'))

    @pytest.mark.skipif("SARIF_SCHEMA" not in os.environ, reason="names no copy of the schema")
    @pytest.mark.parametrize(
        "arguments", [["rewrite", "--check"], ["plan"], ["rewrite", "--spec", "none"]]
    )
    def test_is_what_the_public_schema_says(
        self, said: Callable[..., str], arguments: list[str]
    ) -> None:
        """``SARIF_SCHEMA`` is a copy of sarif-schema-2.1.0.json; CI fetches it."""
        jsonschema = pytest.importorskip("jsonschema")
        schema = json.loads(Path(os.environ["SARIF_SCHEMA"]).read_text())
        jsonschema.validate(json.loads(said("sarif", *arguments)), schema)
        jsonschema.validate(json.loads(verified("sarif")), schema)

    def test_findings_say_what_to_do(self, said: Callable[..., str]) -> None:
        (run,) = json.loads(said("sarif"))["runs"]
        result = next(item for item in run["results"] if item["ruleId"] == "PYR047")
        assert "let it call super().named_children" in result["message"]["text"]
        (rule,) = (rule for rule in run["tool"]["driver"]["rules"] if rule["id"] == "PYR047")
        assert "## What to do" in rule["help"]["markdown"]

    def test_a_file_that_would_change_has_the_change_as_a_fix(
        self, said: Callable[..., str], lay_out: LayOut, run: Run
    ) -> None:
        start = NET.replace("\n", "\r\n").removesuffix("\r\n")  # the last line has no end
        for text in (NET, start):
            root = lay_out({"net.py": text.encode(), "more/a b.py": NET})
            (given,) = json.loads(said("sarif"))["runs"]
            pending = [item for item in given["results"] if item["ruleId"] == "rewrite"]
            fixes = [fix for item in pending for fix in item["fixes"]]
            (rule,) = [r for r in given["tool"]["driver"]["rules"] if r["id"] == "rewrite"]
            assert "take the fixes of all files together" in rule["help"]["text"]
            fixed = {
                unquote(change["artifactLocation"]["uri"]): change["replacements"]
                for fix in fixes
                for change in fix["artifactChanges"]
            }
            assert set(fixed) == {"net.py", "more/a b.py", "pyroify.lock"}
            done = {path: replaced(root / path, changes) for path, changes in fixed.items()}
            run("rewrite")
            assert done == {path: (root / path).read_bytes().decode() for path in fixed}
            (given,) = json.loads(said("sarif"))["runs"]
            assert not [item for item in given["results"] if item["ruleId"] == "rewrite"]
            (root / "pyroify.lock").unlink()

    def test_of_a_failure(self, said: Callable[..., str]) -> None:
        document = json.loads(said("sarif", "rewrite", "--check", "--spec", "none.yaml"))
        (run,) = document["runs"]
        assert run["invocations"] == [{"executionSuccessful": False, "exitCode": 2}]
        assert run["results"]


class TestJUnit:
    def test_a_test_for_each_class(self, said: Callable[..., str]) -> None:
        (suite,) = ElementTree.fromstring(said("junit"))
        failing = {case.get("name") for case in suite if case.find("failure") is not None}
        assert failing == {"Net", "Cached", "Holder"}
        assert suite.get("failures") == "3"

    def test_all_pass_once_converted(self, said: Callable[..., str], run: Run) -> None:
        Path("net.py").write_text(NET.partition("class Holder")[0])
        run("rewrite")
        (suite,) = ElementTree.fromstring(said("junit"))
        assert (suite.get("tests"), suite.get("failures")) == ("3", "0")

    def test_of_a_verification(self) -> None:
        (suite,) = ElementTree.fromstring(verified("junit"))
        assert [(suite.get(key)) for key in ("tests", "failures", "skipped")] == ["4", "2", "1"]


class TestMarkdown:
    def test_counts_and_findings(self, said: Callable[..., str]) -> None:
        text = said("markdown")
        assert text.startswith("## pyroify rewrite\n\n- 1 file to change\n- 3 classes: ")
        assert "| refused | `net.py:" in text
        assert "named\\_children" in text

    def test_of_a_status(self, said: Callable[..., str]) -> None:
        text = said("markdown", "status")
        assert "| folder | converted | to convert |" in text
        assert "| `all` | 0 | 2 | 1 | 0 |" in text

    def test_of_a_verification(self) -> None:
        assert "- 4 classes: 1 equal\n" in verified("markdown")

    def test_long_lists_end(self) -> None:
        results = [VerifyResult(f"b:L{n}", "b.py", "not_verified", "no") for n in range(60)]
        text = str(formats.renderer("markdown", "verify")(Path("/root"), results, 1).result)
        assert text.count("PYR302") == 50
        assert text.endswith("\nand 10 more\n")

    def test_what_is_in_a_repository_makes_no_marks(self) -> None:
        result = VerifyResult("b:Net", "a|`b.py", "different", "| <img src=x> [l](x)\n# Title")
        text = str(formats.renderer("markdown", "verify")(Path("/root"), [result], 2).result)
        (line,) = (line for line in text.splitlines() if "PYR301" in line)
        assert "`ab.py:1:1`" in line
        assert "\\<img src=x\\>" in line and "\\[l\\]" in line


class TestOutputFile:
    @pytest.mark.parametrize("name", ["json", "sarif", "gitlab", "junit", "github"])
    def test_has_the_report_and_the_log_the_text(
        self, said: Callable[..., str], run: Run, name: str
    ) -> None:
        ended = run("rewrite", "--check", "--format", name, "--output-file", "report")
        assert "3 classes: " in ended.out
        assert Path("report").read_text() == said(name)

    def test_that_cannot_be_written(self, said: Callable[..., str], run: Run) -> None:
        ended = run("rewrite", "--check", "--format", "json", "--output-file", "none/report")
        assert ended.code == 2
        assert "none/report" in ended.err

    def test_of_a_failure(self, said: Callable[..., str], run: Run) -> None:
        arguments = ("--format", "junit", "--output-file", "report", "--spec", "none.yaml")
        assert run("rewrite", "--check", *arguments).code == 2
        assert "<error message=" in Path("report").read_text()
