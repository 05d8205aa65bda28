"""Judges one program: builds the original, rewrites it, builds it again, and compares."""

from __future__ import annotations

import ast
import json
import re
import tempfile
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyro
import torch
from click.testing import CliRunner
from pyro.nn import PyroModule
from torch import Tensor, nn

from benchmarks.fuzz.expectation import Unclear, constraint, distribution, expect
from benchmarks.fuzz.program import SPEC, Program, Target, lay_out
from benchmarks.fuzz.side import Side, imported
from benchmarks.fuzz.sites import Site, list_sites, recorded
from benchmarks.fuzz.specs import make_spec
from pyroify.cli import cli
from pyroify.spec.load import load_spec
from pyroify.spec.model import Deterministic, Keep, Param, Sample, Spec
from pyroify.verify.compare.draws import SameDraws
from pyroify.verify.compare.pin import OriginalError, compare
from pyroify.verify.compare.run import EntryCall, describe, invoke, run
from pyroify.verify.compare.sites import buffers, constrained, parameters, priors

INTERNAL = "PYR234"
BATCH = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong: of what kind, in which target, what, and at which parameter."""

    kind: str
    target: str
    message: str
    where: str = ""

    @property
    def signature(self) -> tuple[str, str]:
        """What stays the same while a program is made smaller."""
        plain = re.sub(r"'[^']*'|[\w.]*\d[\w.]*|\b\w+(\.\w+)+\b", "_", self.message)
        for _ in range(3):
            plain = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", plain)
        return self.kind, " ".join(plain.split())[:70]


@dataclass(slots=True)
class Verdict:
    """What became of a program: counts, faults, and the spec it was tried with."""

    faults: list[Fault] = field(default_factory=list)
    spec: str = ""
    classes: int = 0
    targets: int = 0
    not_built: list[str] = field(default_factory=list)
    sites: int = 0
    unclear: int = 0
    said: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    exit_code: int = 0
    seconds: float = 0.0

    def fault(self, kind: str, target: str, message: str, where: str = "") -> None:
        """Record a fault."""
        fault = Fault(kind, target, " ".join(message.split())[:400], where)
        if (target, fault.signature) not in {(f.target, f.signature) for f in self.faults}:
            self.faults.append(fault)


ALL = frozenset({"second run", "compare"})


def judge(
    program: Program,
    steps: frozenset[str] = ALL,
    tamper: Callable[[Path], None] = lambda root: None,
) -> Verdict:
    """The verdict on one program. Changes the process: run it in a child.

    ``steps`` are those of the costly ones that are to be done. ``tamper`` is given the folder
    that was rewritten, to see whether a fault that it plants is found.
    """
    warnings.simplefilter("ignore")
    torch.manual_seed = torch.default_generator.manual_seed  # without a traceback for each GPU
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        return _Judge(program, Path(folder), steps, tamper).verdict()


@dataclass(slots=True)
class _Built:
    """What is known of a target from its original."""

    target: Target
    sites: list[Site]
    values: dict[str, Tensor]


class _Judge:
    def __init__(
        self,
        program: Program,
        folder: Path,
        steps: frozenset[str],
        tamper: Callable[[Path], None],
    ) -> None:
        self.program, self.steps, self.tamper = program, steps, tamper
        self.before, self.after = folder / "before" / "project", folder / "after" / "project"
        self.result = Verdict(classes=program.classes)
        self.report: dict[str, Any] = {}
        self.spans: dict[str, tuple[str, int, int]] = {}

    def verdict(self) -> Verdict:
        settings = self.program.random("settings")
        pyro.settings.set(module_local_params=settings.random() < 0.6)
        lay_out(self.program, self.before)
        names = sorted(self._modules)
        self.sides = {"before": Side(self.before, names), "after": Side(self.after, names)}
        built = [b for target in self.program.targets if (b := self._build_original(target))]
        self.result.targets = len(built)
        sites = [site for b in built for site in b.sites]
        self.result.sites = len(sites)
        if not self.program.spec:
            spec_text = make_spec(sites, self.program.random("spec"))
            self.program = replace(self.program, spec=spec_text)
        self.result.spec = self.program.spec
        lay_out(self.program, self.after)
        if not self._rewrite():
            self._check_untouched()
            return self.result
        if "second run" in self.steps:
            self._check_second_run()
        self.tamper(self.after)
        self._check_files()
        spec = load_spec(self.after / SPEC)
        for b in built:
            self._check_target(b, spec)
        return self.result

    # The original

    def _build_original(self, target: Target) -> _Built | None:
        try:
            with imported(self.sides["before"]):
                cls = self._load("before", target)
                with recorded(self._is_project) as attachments, SameDraws():
                    module = _construct(cls, target)
                sites = list_sites(module, attachments)
                values = {
                    name: value.detach().clone()
                    for name, value in (parameters(module) | buffers(module)).items()
                }
                with torch.no_grad():
                    invoke(module, EntryCall(target.method, (_input(),)))
        except Exception as error:
            self.result.not_built.append(f"{target.code}: {describe(error)}")
            return None
        return _Built(target, sites, values)

    def _load(self, side: str, target: Target) -> Any:
        return self.sides[side].load(target.module, target.name)

    def _is_project(self, cls: type) -> bool:
        return cls.__module__ in self._modules

    @property
    def _modules(self) -> set[str]:
        names = {path.removesuffix(".py").replace("/", ".") for path in self.program.files}
        return {name.removesuffix(".__init__") for name in names}

    # The rewrite

    def _rewrite(self) -> bool:
        """Run the tool; whether there is something to compare."""
        code, report = self._run_tool()
        self.report = report
        self.result.exit_code = code
        if not report:
            return False
        for entry in report.get("classes", ()):
            status = entry["status"]
            self.result.statuses[status] = self.result.statuses.get(status, 0) + 1
        for finding in report["findings"]:
            key = finding["code"]
            self.result.codes[key] = self.result.codes.get(key, 0) + 1
            if key == INTERNAL:
                self.result.fault("crash_tool", finding["path"], finding["message"])
        self.spans = dict(self._class_spans())
        return "classes" in report and code != 2

    def _class_spans(self) -> Iterator[tuple[str, tuple[str, int, int]]]:
        """File, first and last line of every class, mixins that are no modules included."""
        for path, data in self.program.files.items():
            module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
            for node in ast.walk(ast.parse(data)):
                if isinstance(node, ast.ClassDef):
                    first = min(d.lineno for d in [node, *node.decorator_list])
                    yield f"{module}:{node.name}", (path, first, node.end_lineno or first)

    def _run_tool(self) -> tuple[int, dict[str, Any]]:
        arguments = [
            "rewrite",
            "--format",
            "json",
            "--allow-unmatched",
            "--jobs",
            "1",
            str(self.after),
        ]
        done = CliRunner().invoke(cli, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            where = traceback.extract_tb(done.exc_info[2])[-1] if done.exc_info else None
            place = f"{Path(where.filename).name}:{where.name}" if where else ""
            self.result.fault("crash_tool", "", f"{describe(done.exception)} at {place}")
            return done.exit_code, {}
        try:
            report = json.loads(done.stdout)
            return report["exit_code"], report
        except ValueError:
            what = "crash_tool" if "Traceback" in done.output else "bad_report"
            self.result.fault(what, "", f"no report: {done.output[-300:]}")
            return done.exit_code, {}

    def _check_files(self) -> None:
        for path, old in self.program.files.items():
            new = (self.after / path).read_bytes()
            if new == old:
                continue
            try:
                compile(new, path, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                self.result.fault("crash_rewritten", path, f"does not compile: {error}")
            if _line_ends(new) - _line_ends(old) and old.count(b"\n"):
                self.result.fault("line_ends", path, f"{_line_ends(old)} became {_line_ends(new)}")
            if old.endswith(b"\n") != new.endswith(b"\n"):
                self.result.fault("line_ends", path, "the end of the file changed")
            if old.startswith(b"\xef\xbb\xbf") != new.startswith(b"\xef\xbb\xbf"):
                self.result.fault("line_ends", path, "the byte order mark changed")

    def _check_untouched(self) -> None:
        """With exit code 2 nothing is written."""
        for path, old in self.program.files.items():
            if (self.after / path).read_bytes() != old:
                self.result.fault("crash_tool", path, "is changed although the exit code is 2")

    def _check_second_run(self) -> None:
        once = {path: (self.after / path).read_bytes() for path in self.program.files}
        self._run_tool()
        for path, data in once.items():
            again = (self.after / path).read_bytes()
            if again != data:
                self.result.fault("not_idempotent", path, _first_difference(data, again))

    # What was said

    def _is_said(self, names: Sequence[str] | frozenset[str]) -> bool:
        """Whether a finding that costs the exit code is about one of the classes."""
        if not self.result.exit_code:
            return False
        return any(self._concerns(finding, names) for finding in self.report["findings"])

    def _is_warned(self, names: Sequence[str] | frozenset[str] | set[str], code: str) -> bool:
        """Whether a warning of this code is about one of the classes."""
        found = [f for f in self.report["findings"] if f["code"] == code]
        return any(self._concerns({**f, "severity": "refused"}, frozenset(names)) for f in found)

    def _concerns(self, finding: Mapping[str, Any], names: Sequence[str] | frozenset[str]) -> bool:
        if finding["severity"] == "warning":
            return False
        if finding.get("subject") in names:
            return True
        if any(f"{site}.".startswith(f"{name}.") for site in finding["sites"] for name in names):
            return True  # it says that this stays plain
        for name in names:
            path, start, end = self.spans.get(name, ("", 0, 0))
            if finding["path"] == path and start <= finding["line"] <= end:
                return True
        return False

    # The rewritten code

    def _check_target(self, built: _Built, spec: Spec) -> None:
        target = built.target
        self.sides["after"].forget()
        try:
            with imported(self.sides["after"]):
                cls = self._load("after", target)
        except Exception as error:
            self.result.fault("crash_rewritten", target.code, f"import: {describe(error)}")
            return
        try:
            with imported(self.sides["after"]), SameDraws():
                module = _construct(cls, target)
        except Exception as error:
            self.result.fault("crash_rewritten", target.code, f"construct: {describe(error)}")
            return
        flags = {name: p.requires_grad for name, p in parameters(module).items()}
        nodes = self._trace(module, target)
        if nodes is not None:
            _Sites(self, built, module, flags, nodes, spec).check()
            if "compare" in self.steps:
                self._compare(built, cls)

    def _trace(self, module: nn.Module, target: Target) -> Mapping[str, Any] | None:
        try:
            with imported(self.sides["after"]):
                return run(module, EntryCall(target.method, (_input(),)), 0).sites
        except Exception as error:
            self.result.fault("crash_rewritten", target.code, f"forward: {describe(error)}")
            return None

    def _compare(self, built: _Built, cls: Any) -> None:
        target = built.target
        with imported(self.sides["before"]):
            original = _construct(self._load("before", target), target)
            _make_uneven(original)
        with imported(self.sides["after"]):
            rewritten = _construct(cls, target)
        try:
            with imported(self.sides["after"]):
                found = compare(
                    original,
                    rewritten,
                    (_input(),),
                    method=target.method,
                    within=lambda: imported(self.sides["before"]),
                )
        except OriginalError:
            return
        names = {name for site in built.sites for name in site.classes}
        root = [
            f"{c.__module__}:{c.__qualname__}"
            for c in type(original).__mro__
            if c.__module__ in self._modules
        ]
        is_plain = not isinstance(rewritten, PyroModule)
        for problem in found.problems:
            is_crash, is_output = "raises" in problem, problem.startswith("output")
            if "cannot hold its old value" in problem:
                continue  # where it starts is looked at for each parameter
            is_value = is_output or problem.startswith("the gradient")
            if is_value and self._is_warned({*root, *names}, "PYR002"):
                continue  # nothing takes the weights over that torch does not register
            if "was frozen; reading" in problem and self._is_warned(names, "PYR008"):
                continue
            if not (is_crash or is_output) and self._is_said([*root, *(names if is_plain else ())]):
                continue
            kind = "crash_rewritten" if is_crash else "silent"
            message = _without_names(problem, found.sites.keys() | {s.name for s in built.sites})
            self.result.fault(kind, target.code, f"compare: {message}", problem)
            return  # the others follow from it


class _Sites:
    """Compares each parameter of one target with what the spec says of it."""

    def __init__(
        self,
        judge: _Judge,
        built: _Built,
        module: nn.Module,
        flags: Mapping[str, bool],
        nodes: Mapping[str, Any],
        spec: Spec,
    ) -> None:
        self.judge, self.built, self.module, self.nodes = judge, built, module, nodes
        self.spec, self.flags = spec, flags
        self.priors = priors(module)
        self.params = parameters(module)
        self.buffers = buffers(module)
        self.constrained = {name: (owner, last) for name, owner, last in constrained(module)}

    def check(self) -> None:
        groups: dict[int, list[Site]] = {}
        for site in self.built.sites:
            groups.setdefault(site.tie, []).append(site)
        for group in groups.values():
            actions = [expect(self.spec, site).action for site in group]
            first = actions[0]
            if first is None or any(action is not first and action != first for action in actions):
                self.judge.result.unclear += 1
                continue
            faults = list(self._faults(group, first))
            if not faults:
                continue
            names = frozenset(n for site in group for n in site.classes)
            is_start = all("starts at another value" in fault for fault in faults)
            if self.judge._is_said(names) or (is_start and self._is_said_to_start_elsewhere(names)):
                self.judge.result.said += 1
                continue
            message, _, where = faults[0].rpartition(": ")
            self.judge.result.fault("silent", self.built.target.code, message, where)

    def _is_said_to_start_elsewhere(self, names: frozenset[str]) -> bool:
        """Whether it is said that an initialiser has no effect, by a base or what holds it too."""
        built = {
            f"{c.__module__}:{c.__qualname__}"
            for m in self.module.modules()
            for c in type(m).__mro__
        }
        return self.judge._is_warned(names | built, "PYR003")

    def _faults(self, group: list[Site], action: Any) -> Iterator[str]:
        names = [site.name for site in group]
        match action:
            case Sample():
                yield from self._sample_faults(group, action)
            case Keep():
                for site in group:
                    yield from self._keep_faults(site)
            case Param():
                if len(group) == 1:
                    yield from self._param_faults(group[0], action)
            case Deterministic():
                if not any(name in self.priors for name in names):
                    yield f"not computed: {names[0]}"

    def _sample_faults(self, group: list[Site], action: Sample) -> Iterator[str]:
        drawn = [site for site in group if site.name in self.priors]
        if not drawn:
            what = self._state(group[0].name)
            yield f"{what}, though the spec makes it random: {group[0].name}"
            return
        for site in drawn:
            yield from self._law_faults(site, action)

    def _state(self, name: str) -> str:
        if name in self.params:
            return "stays a parameter"
        if name in self.constrained:
            return "is a PyroParam"
        return "is a buffer" if name in self.buffers else "is gone"

    def _law_faults(self, site: Site, action: Sample) -> Iterator[str]:
        prior = self.priors[site.name]
        node = self.nodes.get(site.name)
        if node is None:
            return
        law = node["fn"]
        if node["is_observed"]:
            if action.centered and len([s for s in self.built.sites if s.tie == site.tie]) == 1:
                yield f"is computed, though the spec makes it random: {site.name}"
            return
        if tuple(law.batch_shape) or tuple(law.event_shape) != site.shape:
            yield (
                f"has batch shape {tuple(law.batch_shape)} and event shape "
                f"{tuple(law.event_shape)}, not {site.shape}: {site.name}"
            )
            return

        def read(name: str) -> Tensor:
            path = f"{site.name.rpartition('.')[0]}.{name}".lstrip(".")
            if path not in self.nodes:
                raise Unclear(name)
            return self.nodes[path]["value"]

        try:
            wanted = distribution(action, site, prior.owner, read)
        except Unclear:
            return
        except Exception as error:
            yield f"has a prior, though there is none: {describe(error)}: {site.name}"
            return
        if not _same_law(law, wanted):
            yield f"is drawn from {law} ({_text(law)}), not {_text(wanted)}: {site.name}"

    def _keep_faults(self, site: Site) -> Iterator[str]:
        name = site.name
        if name in self.priors and self.priors[name].repeated is None:
            yield f"is random, though the spec keeps it: {name}"
        elif name in self.constrained:
            yield f"is constrained, though the spec keeps it: {name}"
        elif name in self.params:
            if self.flags[name] is site.frozen:
                yield f"requires_grad changed from {not site.frozen}: {name}"
            yield from self._value_faults(name, self.params[name])
        elif name in self.buffers and site.frozen:
            yield from self._value_faults(name, self.buffers[name])
        elif name not in self.priors:
            yield f"{self._state(name)}, though the spec keeps it: {name}"

    def _value_faults(self, name: str, value: Tensor) -> Iterator[str]:
        old = self.built.values[name]
        if old.shape != value.shape:
            yield f"shape changed: {name}"
        elif not torch.allclose(old, value.detach(), equal_nan=True):
            yield f"is kept, but starts at another value: {name}"

    def _param_faults(self, site: Site, action: Param) -> Iterator[str]:
        if site.name not in self.constrained:
            if action.constraint.name == "real" and site.name in self.params:
                return
            what = "is random" if site.name in self.priors else self._state(site.name)
            yield f"{what}, though the spec constrains it: {site.name}"
            return
        owner, last = self.constrained[site.name]
        found, event_dim = owner._pyro_params[last]
        wanted = constraint(action.constraint)
        if _bounds(found) != _bounds(wanted):
            yield f"has the constraint {found}, not {wanted}: {site.name}"
        if action.event_dim is not None and event_dim != action.event_dim:
            yield f"has event_dim {event_dim}, not {action.event_dim}: {site.name}"
        old = self.built.values[site.name]
        value = getattr(owner, last).detach()
        start = {"keep": old, "exp": old.exp(), "softplus": nn.functional.softplus(old)}.get(
            action.init if isinstance(action.init, str) else ""
        )
        if isinstance(action.init, int | float):
            start = torch.full_like(old, float(action.init))
        if value.shape != old.shape:
            yield f"shape changed: {site.name}"
        elif start is not None and not torch.allclose(value, start, rtol=1e-3, atol=1e-4):
            yield f"starts at another value than the spec says: {site.name}"


def _construct(cls: Any, target: Target) -> nn.Module:
    import sys

    names = {**vars(sys.modules[cls.__module__]), "torch": torch, target.name: cls}
    torch.manual_seed(0)
    module = eval(target.code, names)
    assert isinstance(module, nn.Module)
    return module


def _input() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(BATCH, 4, generator=generator)


def _make_uneven(module: nn.Module) -> None:
    """Let no two parameters be equal: that would hide a mix-up."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point():
                noise = 0.1 * torch.rand(parameter.shape, generator=generator)
                parameter.data = parameter.data * (1 - noise) + 0.01 * noise


def _without_names(problem: str, names: Collection[str]) -> str:
    words = [word for word in problem.split() if word.strip("';:,") not in names]
    return re.sub(r"\b[\d.]+(e-?\d+)?|'[^']*'|\([^()]*\)", "_", " ".join(words))


def _line_ends(data: bytes) -> set[str]:
    found = set()
    if b"\r\n" in data:
        found.add("CRLF")
    if b"\n" in data.replace(b"\r\n", b""):
        found.add("LF")
    if b"\r" in data.replace(b"\r\n", b""):
        found.add("CR")
    return found


def _first_difference(old: bytes, new: bytes) -> str:
    for one, other in zip(old.split(b"\n"), new.split(b"\n"), strict=False):
        if one != other:
            return f"a second run changes {one.decode().strip()!r} to {other.decode().strip()!r}"
    return "a second run adds or removes lines"


def _base_law(law: Any) -> Any:
    while True:
        if type(law).__name__ in ("Independent", "ExpandedDistribution", "MaskedDistribution"):
            law = law.base_dist
        else:
            return law


def _text(law: Any) -> str:
    base = _base_law(law)
    values = {
        name: getattr(base, name).flatten()[:1].tolist()
        for name in base.arg_constraints
        if isinstance(base.__dict__.get(name), Tensor)
    }
    return f"{type(base).__name__} {values}"


def _same_law(one: Any, other: Any) -> bool:
    if type(_base_law(one)) is not type(_base_law(other)):
        return False
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        probes = [other.sample() for _ in range(2)]
    return all(
        torch.allclose(
            one.log_prob(v.to(one.sample().dtype)), other.log_prob(v), rtol=1e-4, atol=1e-4
        )
        for v in probes
    )


def _bounds(found: Any) -> tuple[object, ...]:
    while type(found).__name__ in (
        "_IndependentConstraint",
        "IndependentConstraint",
        "independent",
    ):
        found = found.base_constraint
    values = {
        k: float(v)
        for k, v in vars(found).items()
        if isinstance(v, int | float | Tensor) and "bound" in k
    }
    name = type(found).__name__
    return (name, *sorted(values.items()))
