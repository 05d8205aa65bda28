"""The command line: parse, call, map the result to an exit code.

Results go to stdout, chatter to stderr. Exit codes: 0 done and complete; 1 something would change
or was left unconverted; 2 bad usage, spec or source, or a failed check; 130 interrupted.
Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pyroify import __version__, timings
from pyroify.report import formats
from pyroify.terminal import (
    is_colourful,
    is_quiet,
    is_verbose,
    note,
    put,
    volume,
    warn,
    watched,
)

if TYPE_CHECKING:
    from pyroify.pipeline import Outcome
    from pyroify.project import Project
    from pyroify.proof import OwnRun
    from pyroify.publish import Change, Recovery
    from pyroify.report.run import Report
    from pyroify.report.site import NamedSite
    from pyroify.shard import Shard
    from pyroify.spec.model import Spec
    from pyroify.verify import Recording, VerifyResult

INTERRUPTED = 130
STDIN = Path("-")
SITE = re.compile(r"[\w.:*?\[\]!<>-]+")
"""What may name a site or a class, or be a pattern for some, and is no path."""

Command = Callable[..., int]


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = cli.main(args, prog_name="pyroify", standalone_mode=False)
    except click.Abort:
        warn("interrupted; every file is whole\n")
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = 2
    except Exception:
        traceback.print_exc()
        warn("this is a bug in pyroify: please report it with what is above\n")
        code = 2
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Makes a polite kill clean up as Ctrl-C does."""
    raise KeyboardInterrupt


def _reports_failures(command: Command) -> Command:
    """Turns what the user has to put right into a message and exit code 2; bugs stay tracebacks."""

    @functools.wraps(command)
    def run(**options: Any) -> int:
        try:
            return command(**options)
        except Exception as error:
            from pyroify.report.failure import describe_failure

            failure = describe_failure(error)
            if failure is None:
                raise
            if is_verbose():
                traceback.print_exc()
            warn(failure.text)
            output = options.get("output")
            if output is not None and formats.fits(output, formats.FAILURE):
                said = formats.renderer(output, formats.FAILURE)(failure, command.__name__)
                if file := options.get("output_file"):
                    _write_report(file, said)
                else:
                    _say(said)
            return 2

    return run


PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
SPEC = click.option(
    "--spec",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The prior spec. Default: the nearest pyroify.yaml from the target upward.",
)
ALLOW_UNMATCHED = click.option(
    "--allow-unmatched", is_flag=True, help="Accept rules of the spec that match nothing."
)


def _format_option(command: str) -> Callable[[Command], Command]:
    form = click.option(
        "--format",
        "output",
        type=click.Choice(formats.format_names(command)),
        default=formats.DEFAULT,
        show_default=True,
        help="How to report.",
    )
    file = click.option(
        "--output-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write the report there; what is for people is said as well.",
    )
    return lambda function: form(file(function))


def _run_options(command: Command) -> Command:
    """The options about a run of the user's own that shows how classes are built and called."""
    options = (
        click.option(
            "--run",
            metavar="CMD",
            help="Build and call classes as this command does on a copy of the original. "
            "It runs your code.",
        ),
        click.option(
            "--run-timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=600.0,
            show_default=True,
            metavar="SECONDS",
            help="End the command then, and go on with what it has shown.",
        ),
        click.option(
            "--run-limit",
            type=click.IntRange(min=1),
            default=512,
            show_default=True,
            metavar="MB",
            help="What may be noted of it on disk.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _remember_cache(context: click.Context, option: click.Parameter, value: bool) -> None:
    context.meta["pyroify.cache"] = not value


CACHE = click.option(
    "--no-cache",
    is_flag=True,
    envvar="PYROIFY_NO_CACHE",
    show_envvar=True,
    expose_value=False,
    callback=_remember_cache,
    help="Find everything out anew, and keep nothing of it in .pyroify/cache.",
)


def _show_timings(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        clock = timings.start()
        context.call_on_close(lambda: warn(clock.render()))


TIMINGS = click.option(
    "--timings",
    is_flag=True,
    expose_value=False,
    callback=_show_timings,
    help="Say on stderr how much processor time each stage took.",
)


def _read_shard(context: click.Context, option: click.Parameter, value: str | None) -> Shard | None:
    from pyroify.shard import parse_shard

    try:
        return None if value is None else parse_shard(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


MIN_VERIFIED = click.option(
    "--min-verified",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Tolerate what cannot be compared as long as this share of the classes is.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Make PyTorch source Bayesian, as source.

    Rewrites nn.Module classes into Pyro modules whose parameters have the priors that a spec
    (pyroify.yaml) gives them.
    """


@cli.command()
@PATHS
@volume
@_reports_failures
def init(paths: tuple[Path, ...]) -> int:
    """Write a starter pyroify.yaml for the classes found in PATHS."""
    from pyroify.emit.example import find_example
    from pyroify.pipeline import survey
    from pyroify.project import SPEC_NAME, from_here
    from pyroify.publish import Change, refuse_existing
    from pyroify.report.run import UNREADABLE
    from pyroify.report.starter import EXCLUDED, SCHEMA_NAME, default_spec, render_starter
    from pyroify.report.text import render_findings, render_scripts

    project = _settled(paths, None, None, writes=True)
    refuse_existing(project.root, SPEC_NAME, "edit it, or delete it first")
    project = project.narrowed((), EXCLUDED)
    index, plan_with = survey(project.root, project.files, project.selected, _default_jobs())
    found = plan_with(default_spec())
    example = find_example(project.root, project.files, index, found)
    text = render_starter(found, plan_with, example)
    changes = [Change(SPEC_NAME, None, text.encode())]
    if not os.path.lexists(project.root / SCHEMA_NAME):
        changes.append(Change(SCHEMA_NAME, None, _schema_text().encode()))
    _publish(project.root, changes)
    faults = [f for f in (*project.findings, *found.findings) if f.code in UNREADABLE]
    warn(render_findings(faults, project.root))
    note(f"wrote {from_here(project.root / SPEC_NAME)}; next: pyroify plan\n")
    note(render_scripts(found.trainings, project.root))
    return 2 if faults else 0


@cli.command()
@click.argument("targets", nargs=-1, metavar="[PATHS | SITES]...")
@SPEC
@_format_option("plan")
@ALLOW_UNMATCHED
@TIMINGS
@CACHE
@volume
@_reports_failures
def plan(
    targets: tuple[str, ...],
    spec: Path | None,
    output: str,
    output_file: Path | None,
    allow_unmatched: bool,
) -> int:
    """Show every parameter in PATHS and what will become of it.

    For a SITE (Class.path or module:Class.path, with * and ** as in the spec, or a class alone),
    explain which rule decides and which it beats.
    """
    from pyroify.report.said import keep, place_of, recall

    sites = [target for target in targets if SITE.fullmatch(target) and not Path(target).exists()]
    project, prior_spec = _open([Path(t) for t in targets if t not in sites], spec)
    place = None
    if not sites and output_file is None:
        place = place_of(project, "plan", output, allow_unmatched, is_quiet())
    if (said := recall(place)) is not None:
        _say(said.output)
        return said.code

    from pyroify.api import accepted_codes, report_plan
    from pyroify.report.run import exit_code, without_warnings
    from pyroify.report.site import explain_site, with_sites

    report = report_plan(project, prior_spec, accepted_codes(allow_unmatched))
    found = [site for name in sites for site in _find_sites(name, report)]
    if found and output == formats.DEFAULT:
        put("\n".join(explain_site(site, report.spec) for site in found))
        return 0
    report = with_sites(report, found) if found else report
    code = exit_code(report, would_change=False)
    report = without_warnings(report) if is_quiet() else report
    keep(place, _report(output, output_file, "plan", report, code), code)
    return code


def _find_sites(name: str, report: Report) -> Sequence[NamedSite]:
    from pyroify.report.site import find_sites, suggest_site

    if found := find_sites(name, report.classes):
        return found
    near = suggest_site(name, report.classes)
    hint = f"did you mean {near}?" if near else "`pyroify plan` lists them"
    raise click.UsageError(f"{name} is neither a file nor a class or parameter of the plan; {hint}")


@cli.command()
@PATHS
@SPEC
@_format_option("rewrite")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if anything would change.")
@click.option("--diff", is_flag=True, help="Like --check, and print the changes as a diff.")
@click.option(
    "--stdin-filename",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With `-` as the path: the file that stdin stands for.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes to use. Default: one for each core, one under pre-commit.",
)
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Tolerate what is left unconverted as long as this share of all there is is converted.",
)
@click.option(
    "--shard",
    callback=_read_shard,
    metavar="I/N",
    help="With --check or --diff: of the files in PATHS, report the I-th of N shares only.",
)
@click.option("--verify", is_flag=True, help="Prove the result first; write only what is proven.")
@click.option(
    "--require-clean", is_flag=True, help="Write nothing over changes that git does not have."
)
@_run_options
@MIN_VERIFIED
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Tolerate the findings in FILE; new ones, and those that are gone, fail.",
)
@click.option("--write-baseline", is_flag=True, help="Write all findings to the baseline.")
@ALLOW_UNMATCHED
@TIMINGS
@CACHE
@volume
@_reports_failures
def rewrite(
    paths: tuple[Path, ...],
    spec: Path | None,
    output: str,
    output_file: Path | None,
    check: bool,
    diff: bool,
    stdin_filename: Path | None,
    jobs: int | None,
    min_coverage: float | None,
    shard: Shard | None,
    verify: bool,
    require_clean: bool,
    run: str | None,
    run_timeout: float,
    run_limit: int,
    min_verified: float | None,
    baseline: Path | None,
    write_baseline: bool,
    allow_unmatched: bool,
) -> int:
    """Rewrite the files in PATHS in place.

    With `-` one file is read from stdin, and the result goes to stdout.
    """
    from pyroify import cache
    from pyroify.report.said import keep, place_of, recall

    if (paths == (STDIN,)) != (stdin_filename is not None):
        raise click.UsageError("`-` and --stdin-filename go together")
    if stdin_filename and verify:
        raise click.UsageError("--verify needs files, not `-`")
    if run is not None and not verify:
        raise click.UsageError("--run says what --verify is to compare: give both")
    if min_verified is not None and not verify:
        raise click.UsageError("--min-verified is about --verify: give both")
    if write_baseline and baseline is None:
        raise click.UsageError("--write-baseline needs --baseline FILE")
    if shard and (not (check or diff) or stdin_filename):
        raise click.UsageError("--shard writes nothing: give --check or --diff, and no `-`")
    if shard and (verify or baseline is not None or min_coverage is not None):
        message = "--verify, --baseline and --min-coverage are about all files, not about a --shard"
        raise click.UsageError(message)
    is_on_stdout = output != formats.DEFAULT and output_file is None
    if stdin_filename and is_on_stdout and not (check or diff):
        raise click.UsageError(f"`-` writes the file to stdout, where --format {output} would go")
    writes = not (check or diff or stdin_filename)
    project, prior_spec = _open(() if stdin_filename else paths, spec, stdin_filename, writes)
    place = None
    if check and not (diff or stdin_filename or verify or baseline or output_file):
        asked = (
            *(output, min_coverage, allow_unmatched, shard),
            *(is_quiet(), is_verbose(), is_colourful()),
        )
        place = place_of(project, "rewrite", *asked)
    if (said := recall(place)) is not None:
        _say(said.output)
        return said.code

    from pyroify.api import accepted_codes, carry_out
    from pyroify.report.run import exit_code, in_shard, make_report

    text = sys.stdin.buffer.read() if stdin_filename else None
    outcome = carry_out(project, prior_spec, text, jobs or _default_jobs(), watched, shard)
    if not check and cache.is_read() and (outcome.results or outcome.lock):
        with cache.set_aside():  # what is written is made of what is in the files alone
            outcome = carry_out(project, prior_spec, text, jobs or _default_jobs(), watched, shard)
    if stdin_filename:  # only the editor knows whether it keeps the result
        outcome = replace(outcome, lock=None)
    is_proven = True
    if verify:
        own = _own_run(run, run_timeout, run_limit)
        outcome, is_proven = _prove(project, prior_spec, outcome, own, min_verified)
    report = make_report(project, prior_spec, outcome, accepted_codes(allow_unmatched))
    if shard:
        report = in_shard(report, shard)
    if writes and not report.blockers:
        report = _write(report, require_clean)
    if baseline is not None:
        report = _against_baseline(report, baseline, write_baseline)
    code = exit_code(report, would_change=check or diff, min_coverage=min_coverage)
    code = max(code, int(not is_proven))
    source = next((result.after or text for result in report.results), text)
    options = formats.RewriteOptions(
        diff,
        source if stdin_filename and not check else None,
        is_quiet(),
        is_verbose(),
        is_colourful(),
    )
    keep(place, _report(output, output_file, "rewrite", report, code, options), code)
    return code


@cli.command()
@PATHS
@SPEC
@_format_option("status")
@TIMINGS
@CACHE
@volume
@_reports_failures
def status(
    paths: tuple[Path, ...], spec: Path | None, output: str, output_file: Path | None
) -> int:
    """Show how far the migration of PATHS is, folder by folder."""
    from pyroify.api import report_progress
    from pyroify.workspace import with_spec

    project, prior_spec = with_spec(_settled(paths, spec, None, False))
    found = report_progress(project, prior_spec)
    _report(output, output_file, "status", found, project.root, 0)
    return 0


@cli.command()
@PATHS
@SPEC
@click.option(
    "--html",
    "page",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="The page to write; an older one is replaced, and no other file.",
)
@ALLOW_UNMATCHED
@TIMINGS
@CACHE
@volume
@_reports_failures
def report(paths: tuple[Path, ...], spec: Path | None, page: Path, allow_unmatched: bool) -> int:
    """Write a page about PATHS: what is converted, each parameter with its prior, the changes.

    The page is one file that loads nothing else. No other file is written.
    """
    from pyroify.api import accepted_codes, carry_out, report_progress
    from pyroify.publish import refuse_existing
    from pyroify.report.page import is_page, render_page
    from pyroify.report.run import exit_code, make_report
    from pyroify.report.text import count, render_statuses
    from pyroify.workspace import with_spec

    if not (page.is_file() and is_page(page)):
        refuse_existing(Path(), str(page), "it is no report; name another file with --html")
    project, prior_spec = with_spec(_settled(paths, spec, None, False))
    narrowed = project.narrowed(prior_spec.include, prior_spec.exclude)
    outcome = carry_out(narrowed, prior_spec, None, _default_jobs(), watched)
    made = make_report(narrowed, prior_spec, outcome, accepted_codes(allow_unmatched))
    text = render_page(made, report_progress(project, prior_spec, made))
    _write_report(page, formats.Output(text))
    found = count(len(made.findings), "finding")
    note(f"wrote {page}: {render_statuses(made)}; {found}\n")
    return exit_code(made, would_change=False)


@cli.command()
@PATHS
@SPEC
@_format_option("verify")
@click.option(
    "--original",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The project as it was. Default: git's version, see --revision.",
)
@click.option(
    "--revision",
    default="HEAD",
    show_default=True,
    metavar="REV",
    help="The commit that holds the original.",
)
@_run_options
@click.option(
    "--tests",
    metavar="CMD",
    help="Run your tests with this command on copies of both versions, with the draws pinned to "
    "the old weights. It runs your code, and has to start pytest.",
)
@MIN_VERIFIED
@TIMINGS
@volume
@_reports_failures
def verify(
    paths: tuple[Path, ...],
    spec: Path | None,
    output: str,
    output_file: Path | None,
    original: Path | None,
    revision: str,
    run: str | None,
    run_timeout: float,
    run_limit: int,
    tests: str | None,
    min_verified: float | None,
) -> int:
    """Compare the rewritten classes in PATHS with the original ones.

    Builds each class before and after, puts the old weights in place of the random ones, and
    compares what they compute. Needs torch and Pyro. How a class is built and called is guessed,
    unless --run names a command that does it: your tests, or a minute of your training.
    """
    from pyroify.proof import verify_project
    from pyroify.report.verification import verification_exit_code
    from pyroify.verify import VerifyError, original_tree

    project, prior_spec = _open(paths, spec)
    with nullcontext(original) if original else original_tree(project.root, revision) as before:
        own = _own_run(run, run_timeout, run_limit)
        with timings.stage("verify"):
            results = verify_project(before, project, prior_spec, _note_verified, own)
        if not results:
            raise VerifyError(
                "the spec converts nothing in the original; name it with --original or --revision"
            )
        results += _own_tests(before, project, tests, run_timeout)
    code = verification_exit_code(results, min_verified)
    _report(output, output_file, "verify", project.root, results, code)
    return code


@cli.command()
@click.argument("path", default=".", type=click.Path(exists=True, path_type=Path))
@SPEC
@click.option("--list", "lists", is_flag=True, help="Only list the runs that can be taken back.")
@volume
@_reports_failures
def undo(path: Path, spec: Path | None, lists: bool) -> int:
    """Take back the last run of `rewrite` in the project of PATH.

    Each file it replaced gets its old content and mode, all together. If one was edited since,
    nothing is taken back. Undo again for the run before that.
    """
    from pyroify.project import find_root
    from pyroify.publish import recover
    from pyroify.report.undo import render_runs, render_undone
    from pyroify.undo import list_runs, undo

    root = find_root(path, spec)
    if lists:
        put(render_runs(list_runs(root), root, verbose=is_verbose()))
        return 0
    _note_recovery(recover(root))
    undone = undo(root)
    _note_recovery(undone.recovery)
    note(render_undone(undone, root))
    return 0


@cli.command()
@SPEC
@click.option("--force", is_flag=True, help="Replace a script that is there, with edits of yours.")
@click.option("--diff", is_flag=True, help="Print what would change as a diff, and write nothing.")
@click.option(
    "--from",
    "script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="SCRIPT.py",
    help="Take network, data, loss, optimiser and epochs from this training script of yours; "
    "what svi: says wins.",
)
@volume
@_reports_failures
def emit(spec: Path | None, force: bool, diff: bool, script: Path | None) -> int:
    """Write the training script that the spec's svi: section describes.

    With --from, what the section does not say comes from your own script: its statements, as they
    are, in functions of the new one. A line that is in the way is named, and nothing is written.
    """
    from pyroify import emission

    project, prior_spec = _open((), spec, writes=not diff)
    root = project.root
    origin = None
    if script is None:
        emission.offer(project, prior_spec)
    elif not script.resolve().is_relative_to(root):
        raise click.UsageError(f"{script} is not in the project at {root}")
    else:
        path = script.resolve().relative_to(root).as_posix()
        origin = emission.take_over(project, prior_spec, path)
        if origin is None:
            return 2
    emitted, reason = emission.emit(project, prior_spec, origin)
    if diff:
        return emission.show(root, emitted)
    shared, own, kept = emission.changes_of(root, emitted, force)
    _publish(root, [*shared, *own])
    note(reason)
    emission.note_changes(root, shared, kept, own)
    return 0


@cli.command()
@click.argument(
    "old", metavar="OLD.pt", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@SPEC
@click.option(
    "-o",
    "new",
    metavar="NEW.pt",
    type=click.Path(path_type=Path),
    help="Where to write. Default: OLD_converted.pt.",
)
@volume
@_reports_failures
def convert_checkpoint(old: Path, spec: Path | None, new: Path | None) -> int:
    """Write the checkpoint OLD.pt of the original model as its rewritten class loads it.

    The model is the one under svi: model. Beside NEW.pt, NEW_guide.pt holds the values of the
    random parameters too, for `guide: {init: NEW_guide.pt}`. Needs torch and Pyro.
    """
    from pyroify.checkpoint import convert_checkpoint, make_request
    from pyroify.project import from_here
    from pyroify.publish import refuse_existing
    from pyroify.report.checkpoint import render_conversion, surplus_findings
    from pyroify.report.text import render_findings

    new = new or old.with_name(f"{old.stem}_converted{old.suffix}")
    if not new.parent.is_dir():
        raise click.UsageError(f"there is no folder {new.parent}")
    guide = new.with_name(f"{new.stem}_guide{new.suffix}")
    for path in (new, guide):
        refuse_existing(Path(), str(path), "move it away, or name another file with -o")
    project, prior_spec = _open((), spec)
    conversion = convert_checkpoint(make_request(project, prior_spec, old), new, guide)
    findings = surplus_findings(conversion, str(from_here(old)))
    note(render_conversion(conversion, from_here(new), from_here(guide)))
    warn(render_findings(findings, Path()))
    return 1 if findings else 0


@cli.command()
@click.argument("code", required=False)
@volume
def rule(code: str | None) -> int:
    """Explain a finding by its CODE, or list all codes."""
    from pyroify.diagnostics import UnknownCode, all_codes, lookup
    from pyroify.report.rule import render_codes, render_rule

    if code is None:
        put(render_codes([lookup(known) for known in all_codes()]))
        return 0
    try:
        diagnostic = lookup(code)
    except UnknownCode as error:
        raise click.UsageError(f"{error}; `pyroify rule` lists them all") from error
    put(render_rule(diagnostic, colour=is_colourful()))
    return 0


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
@volume
def completion(shell: str | None) -> int:
    """Print what makes SHELL complete the commands; yours if none is named.

    For bash, in ~/.bashrc: eval "$(pyroify completion bash)"
    """
    from click.shell_completion import get_completion_class

    name = shell or Path(os.environ.get("SHELL", "")).name
    found = get_completion_class(name)
    if found is None:
        raise click.UsageError(f"no completion for {name or 'this shell'}; name bash, zsh or fish")
    put(found(cli, {}, "pyroify", "_PYROIFY_COMPLETE").source())
    return 0


@cli.command()
@click.argument("what", type=click.Choice(["spec", "report"]), default="spec")
@volume
def schema(what: str) -> int:
    """Print the JSON Schema of pyroify.yaml, for editors; or of what --format json gives."""
    from pyroify.report.schema import report_schema

    put(_schema_text() if what == "spec" else json.dumps(report_schema(), indent=2) + "\n")
    return 0


def _schema_text() -> str:
    from pyroify.emit.schema import whole_schema

    return json.dumps(whole_schema(), indent=2) + "\n"


def _open(
    paths: Sequence[Path],
    spec_path: Path | None,
    stdin_filename: Path | None = None,
    writes: bool = False,
) -> tuple[Project, Spec]:
    """The project of ``paths`` and its spec; the spec's globs narrow what is selected."""
    from pyroify.workspace import with_spec

    project, spec = with_spec(_settled(paths, spec_path, stdin_filename, writes))
    return project.narrowed(spec.include, spec.exclude), spec


def _default_jobs() -> int:
    """pre-commit runs several processes itself."""
    return 1 if os.environ.get("PRE_COMMIT") else os.cpu_count() or 1


def _settled(
    paths: Sequence[Path], spec_path: Path | None, stdin_filename: Path | None, writes: bool
) -> Project:
    """The project of ``paths``; what a killed run began is finished first, if that may write."""
    from pyroify.cache import keeping
    from pyroify.workspace import open_settled

    with timings.stage("find files"):
        project, recovery = open_settled(paths, spec_path, stdin_filename, writes=writes)
    if writes:
        _note_recovery(recovery)
    context = click.get_current_context()
    if context.meta.get("pyroify.cache"):
        context.with_resource(keeping(project.root))
    return project


def _note_recovery(recovery: Recovery) -> None:
    for path in recovery.finished:
        warn(f"finished what a killed run began: {path}\n")
    for path in recovery.left:
        warn(f"edited since a run was killed, left as it is: {path}\n")
    if recovery.found and not (recovery.finished or recovery.left):
        warn("cleared away what a killed run had prepared; no file waits for it\n")


def _publish(root: Path, changes: Sequence[Change]) -> None:
    from pyroify.publish import publish

    _note_recovery(publish(root, changes))


def _against_baseline(report: Report, path: Path, write: bool) -> Report:
    """The report without what a baseline knows, which may be written first."""
    from pyroify.report.baseline import (
        BaselineError,
        read_baseline,
        render_baseline,
        without_known,
    )

    try:
        if write:
            path.write_text(render_baseline(report.findings), encoding="utf-8")
            note(f"wrote {path}\n")
        known = read_baseline(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise click.FileError(str(path), str(error)) from error
    except BaselineError as error:
        raise click.ClickException(f"{path}: {error}; write one with --write-baseline") from error
    return without_known(report, known, path.as_posix())


def _own_run(command: str | None, seconds: float, megabytes: int) -> OwnRun | None:
    """The run that shows how classes are built and called, if there is to be one."""
    from pyroify.proof import OwnRun
    from pyroify.verify import RunLimits

    if command is None:
        return None
    words = _words("--run", command)
    note(f"running `{command}` on a copy of the original\n")
    return OwnRun(words, RunLimits(seconds, megabytes), _note_run)


def _own_tests(
    original: Path, project: Project, command: str | None, seconds: float
) -> tuple[VerifyResult, ...]:
    """The tests of the project's own that passed on the original and do not any more."""
    from pyroify.proof import verify_tests

    if command is None:
        return ()
    words = _words("--tests", command)
    note(f"running `{command}` on copies of the original and of the rewritten project\n")
    compared = verify_tests(original, project, words, seconds)
    passed = compared.passed - len(compared.lost)
    note(f"{passed} of the {compared.passed} tests that passed on the original pass\n")
    return compared.lost


def _words(option: str, command: str) -> list[str]:
    """The words of a command that an option names."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from error
    if not words:
        raise click.UsageError(f"{option} names no command")
    return words


def _note_run(recording: Recording) -> None:
    if recording.ended:
        note(f"the run {recording.ended}\n")
    calls = sum(len(calls) for made in recording.builds.values() for _, calls in made)
    classes = len(recording.builds)
    note(f"noted {calls} calls of {classes} classes\n")


def _prove(
    project: Project,
    spec: Spec,
    outcome: Outcome,
    run: OwnRun | None,
    min_verified: float | None,
) -> tuple[Outcome, bool]:
    """The outcome with what its verification found, and whether enough classes were compared."""
    from pyroify.proof import verify_rewrite
    from pyroify.report.verification import are_enough, verification_findings

    with timings.stage("verify"):
        results = verify_rewrite(project, spec, outcome, _note_verified, run)
    findings = verification_findings(results, outcome.plan)
    plan = replace(outcome.plan, findings=(*outcome.plan.findings, *findings))
    floor = 100.0 if min_verified is None else min_verified
    return replace(outcome, plan=plan), are_enough(results, floor)


def _note_verified(result: VerifyResult) -> None:
    """Shows that a verification gets on; only to someone who watches."""
    if sys.stderr.isatty():
        note(f"compared {result.name}\n")


def _write(report: Report, require_clean: bool) -> Report:
    from pyroify.publish import Change, publish
    from pyroify.undo import check_committed

    changes = [Change(r.path, r.before, r.after) for r in report.changed if r.after is not None]
    changes += [report.lock] if report.lock is not None else []
    warning = check_committed(report.root, changes, require_clean)
    note(warning)
    _note_recovery(publish(report.root, changes, keep=True))
    return replace(report, written=True)


def _report(output: str, file: Path | None, command: str, *given: Any) -> formats.Output:
    """Report to stdout; with a ``file`` there, and what is for people to stdout, as is returned."""
    shown = output if file is None else formats.DEFAULT
    with timings.stage("report"):
        said = formats.renderer(shown, command)(*given)
    _say(said)
    if file is not None:
        plain = (
            replace(item, colour=False) if isinstance(item, formats.RewriteOptions) else item
            for item in given
        )
        _write_report(file, formats.renderer(output, command)(*plain))
    return said


def _write_report(file: Path, output: formats.Output) -> None:
    result = output.result
    try:
        file.write_bytes(result if isinstance(result, bytes) else result.encode())
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error


def _say(output: formats.Output) -> None:
    put(output.result)
    warn(output.notes)
