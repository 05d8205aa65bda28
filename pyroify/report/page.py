"""A report as one page of HTML that needs nothing else, and that may hold a stranger's text.

Everything that the templates are given is escaped. The page allows its own style and script, by
their hashes, and nothing else, whatever the text in it says.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from pyroify import __version__
from pyroify.decide.model import SitePlan
from pyroify.diagnostics import lookup
from pyroify.report import density
from pyroify.report.density import Curve
from pyroify.report.plan import FATES, HEADERS, carried_out, site_row
from pyroify.report.run import Report
from pyroify.report.sides import compare
from pyroify.report.status import Progress, describe_counts, share
from pyroify.report.text import count, printable, render_statuses
from pyroify.spec.model import Sample, Spec

START = '<!doctype html>\n<html lang="en" data-pyroify-report>\n'
"""What tells a page of pyroify from other files."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A curve that the page holds once, under a number; or why there is none."""

    curve: Curve | None = None
    number: int = 0
    reason: str = ""


class Plots:
    """The curves of a page, each once."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.known: dict[Curve, Plot] = {}

    def of(self, site: SitePlan) -> Plot | None:
        """The plot of a site; None where it is not random, or its own code says how."""
        action = carried_out(site, self.spec)
        if not isinstance(action, Sample):
            return None
        drawn = density.draw(action.distribution)
        if isinstance(drawn, str):
            return Plot(reason=drawn)
        return self.known.setdefault(drawn, Plot(drawn, len(self.known) + 1))


def render_page(report: Report, found: Progress) -> str:
    """The page of a report, whose results hold what a rewrite would change, and of its progress."""
    plots = Plots(report.spec)
    classes = [
        (path, [(entry, [(site, plots.of(site)) for site in entry.sites]) for entry in entries])
        for path, entries in groupby(report.classes, key=lambda entry: entry.path)
    ]
    style, script = (
        (files("pyroify") / "templates" / "report" / name).read_text(encoding="utf-8")
        for name in ("page.css", "page.js")
    )
    template = _environment().get_template("page.html.j2")
    return START + template.render(
        report=report,
        name=report.root.name,
        version=__version__,
        counts=[render_statuses(report), *_counts(report)],
        folders=[*found.folders.items(), ("all", found.total)],
        share=share,
        describe_counts=describe_counts,
        classes=classes,
        plots=plots.known.values(),
        width=density.WIDTH,
        height=density.HEIGHT,
        headers=HEADERS,
        site_row=site_row,
        fates=FATES,
        changed=[(result, list(compare(result))) for result in report.changed],
        lookup=lookup,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def is_page(file: Path) -> bool:
    """Whether a file can be read, and is a page that pyroify wrote."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(START)) == START.encode()
    except OSError:
        return False


def _counts(report: Report) -> Iterator[str]:
    if report.coverage is not None:
        yield f"coverage {report.coverage:.1f} %"
    actions = report.actions
    yield (
        f"{count(sum(actions.values()), 'parameter')}: {actions['sample']} sample, "
        f"{actions['param']} param, {actions['keep']} keep"
    )
    yield f"{count(len(report.changed), 'file')} to rewrite"
    yield count(len(report.findings), "finding")


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pyroify", "templates/report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_shown,
    )


def _shown(value: object) -> object:
    """Text without what is not seen: control characters, and those that turn its direction."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\t".join(map(printable, value.split("\t")))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
