"""What ``pyroify emit --from`` takes from a script: settings, and functions of its statements."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pyroify.catalog.members import DATA_MEMBERS
from pyroify.decide.model import Plan
from pyroify.diagnostics import Finding
from pyroify.emit.imports import import_from
from pyroify.emit.keys import OPTIMIZERS, SCHEDULES
from pyroify.emit.origin.code import Code, Frame, InTheWay, Scope, bound_by, flat, headers, reads
from pyroify.emit.origin.cut import Cut, Cutter, Region, Want
from pyroify.emit.origin.losses import HARMLESS, Meaning, meaning_of
from pyroify.emit.origin.origin import Origin
from pyroify.emit.origin.text import Writer
from pyroify.emit.origin.training import Finder, Loss, NetworkCall, Place, Step, root_of, within
from pyroify.program import Index
from pyroify.syntax.source import chain

NOT_TAKEN: Final = "PYR423"
RATES_BY_DEFAULT: Final = {"Adam": 1e-3, "AdamW": 1e-3, "NAdam": 2e-3, "RMSprop": 1e-2, "SGD": 1e-3}
SCHEDULES_OF_TORCH: Final = {"CosineAnnealingLR": "cosine"}
"""Those that a script of pyroify's has too."""

LIGHTNING_CLI: Final = re.compile(r"(lightning\.pytorch|pytorch_lightning)(\.\w+)*\.LightningCLI")
_HELD: Final = re.compile(r"val|dev", re.IGNORECASE)
SHAPING: Final = frozenset("squeeze view reshape flatten float".split())
"""Methods after which the likelihood takes the output as before."""

SAME_AGAIN: Final = frozenset(
    """
    arange array as_tensor asarray cat concatenate eye from_numpy full full_like linspace one_hot
    ones ones_like stack tensor zeros zeros_like FloatTensor IntTensor LongTensor Tensor
    float int len list max min range sum tuple zip
    """.split()
)
"""Functions of torch, numpy and Python that make the same of the same."""

DRAWING: Final = frozenset(
    """
    bernoulli bernoulli_ cauchy_ exponential_ geometric_ log_normal_ multinomial normal_ random_
    uniform_
    """.split()
)
"""Methods of tensors that draw."""


def take_from(root: Path, index: Index, plan: Plan, path: str, svi: Mapping[str, Any]) -> Origin:
    """What the script at ``path`` trains on what; what ``svi`` says is not asked of it.

    Raises InTheWay for what cannot be cut out.
    """
    return _Taking(Code(root, index, path), plan, svi).origin()


@dataclass
class _Taking:
    """One script while it is taken over."""

    code: Code
    plan: Plan
    svi: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    folders: dict[str, None] = field(default_factory=dict)
    trained_on: tuple[ast.expr, Place] | None = None
    """The loader, where there is one."""
    instead: dict[ast.AST, str] = field(default_factory=dict)
    """What is written instead of some expressions."""
    counted: ast.stmt | None = None
    """The loop that counts steps, each with the next batch of an iterator."""

    def origin(self) -> Origin:
        if self.code.path not in self.code.modules:
            finding = Finding(self.code.path, 1, 1, "PYR420", "is no Python script of the project")
            raise InTheWay(finding)
        self.finder = Finder(self.code, any_loss=bool(self.svi.get("likelihood")))
        step = self.finder.step()
        self.refuse_unconverted(step)
        self.refuse_another(step)
        likelihood = self.likelihood(step.loss)
        section: dict[str, Any] = {}
        net = data = output = ""
        keywords = tuple(k.arg or "" for k in step.called.call.keywords)
        if self.builds(step):
            net = self.network(step)
        section["model"] = {"class": step.called.cls.name, "path": [".", *self.places()]}
        self.note(step.called.call, step.called.place, "model", step.called.cls.name)
        if not self.given("data", "source"):
            data = self.data(step)
            section["data"] = {"standardize": "none"}
            section["model"]["path"] = [".", *self.places()]
        output = self.output(step)
        section["likelihood"] = likelihood
        section |= self.optimiser(step) | self.length(step)
        size = self.batch_size(step)
        if size:
            section["data"] = {**section.get("data", {}), "batch_size": size}
        return Origin(
            self.code.path,
            merged(section, self.svi),
            net,
            data,
            output,
            keywords if data and not step.called.call.args else (),
            self.picks_device(),
            self.is_double(step),
            tuple(self.notes),
            tuple(self.findings),
        )

    def given(self, key: str, inner: str) -> bool:
        """Whether the spec says it."""
        section = self.svi.get(key)
        return isinstance(section, Mapping) and section.get(inner) not in (None, "synthetic")

    def builds(self, step: Step) -> bool:
        """Whether the script says how the network is built; the spec may name its class as well."""
        said = self.svi.get("model")
        if not said:
            return True
        is_named = isinstance(said, Mapping) and said.get("class") == step.called.cls.name
        return is_named and self.finder.is_given(step.called, said.get("kwargs") or {})

    def note(self, node: ast.AST, place: Place, what: str, value: object) -> None:
        """Says what was taken, and where from."""
        line = getattr(node, "lineno", place.at.lineno)
        self.notes.append(f"{what}: {value}, by {place.module.path}:{line}")

    def left_out(self, node: ast.AST, path: str, message: str, help: str) -> None:
        """A setting that is not taken over."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        self.findings.append(Finding(path, line, column + 1, NOT_TAKEN, message, help))

    def places(self) -> list[str]:
        """Folders to import from, beside the root."""
        found = dict(self.folders)
        folder = self.code.path.rpartition("/")[0]
        found[folder] = None
        return [name for name in found if name]

    def refuse_unconverted(self, step: Step) -> None:
        """Refuses a network that has nothing random yet."""
        cls = step.called.cls
        entry = next((e for e in self.plan.classes if e.name == cls.name), None)
        place = step.called.place
        if entry is not None and entry.pending:
            help = "run `pyroify rewrite` first"
            message = f"{cls.cls.name} is not rewritten yet"
            raise place.module.in_the_way(step.called.call, message, help, "PYR420")
        if entry is None or entry.status != "converted":
            help = "`pyroify plan` says why; a rule of the spec has to match its parameters"
            message = f"{cls.cls.name} is not converted: nothing in it is random"
            raise place.module.in_the_way(step.called.call, message, help, "PYR420")

    def refuse_another(self, step: Step) -> None:
        """Refuses a class of the spec that has nothing to do with what the script trains."""
        said = self.svi.get("model")
        named = said.get("class") if isinstance(said, Mapping) else None
        trained = step.called.cls.name
        classes = {entry.name: entry for entry in self.plan.classes}
        if named not in classes or self.related(trained, named) or self.related(named, trained):
            return
        raise step.called.place.module.in_the_way(
            step.called.call,
            f"the spec's svi.model is {named}, but what is trained here is {trained}",
            "take svi.model out of the spec, or name the script that trains it",
            "PYR420",
        )

    def related(self, outer: str, inner: str) -> bool:
        """Whether a class is another one, holds it or derives from it."""
        classes = {entry.name: entry for entry in self.plan.classes}
        seen, waiting = set[str](), [outer]
        while waiting:
            name = waiting.pop()
            if name in classes and name not in seen:
                seen.add(name)
                waiting += [part.cls for part in classes[name].parts] + list(classes[name].bases)
        return inner in seen

    # The network

    def network(self, step: Step) -> str:
        """The function that builds the network as the script does."""
        node, place = self.built(step.called)
        want = Want(place.frame, frozenset(reads(node)), place.at)
        cut = Cutter(self.code, given=(node,)).cut(want)
        self.folders.update(dict.fromkeys(cut.folders))
        text = Writer(self.code, place.module, self.instead).expression(node)
        lines = [*cut.lines, f"return {text}"]
        if cut.lines and cut.lines[-1].startswith(f"{text} = "):
            lines = [*cut.lines[:-1], f"return {cut.lines[-1].removeprefix(f'{text} = ')}"]
        return function(
            "def build_net() -> nn.Module:",
            f'"""The network, as {self.code.path} builds it."""',
            cut.imports,
            lines,
        )

    def built(self, called: NetworkCall) -> tuple[ast.expr, Place]:
        """The network where it is trained, as an expression there."""
        func: ast.expr = called.call.func
        if isinstance(func, ast.Attribute) and func.attr in ("forward", "module"):
            func = func.value
        place = called.place
        if ast.unparse(func) == "self":
            return self.fitted(called)
        is_of_network = place.frame.scope.cls is not None and self.code.class_of(
            place.module, place.frame.scope.cls
        )
        node, place = self.finder.lifted(func, place)
        if is_of_network and ast.unparse(node).startswith("self."):
            attribute = node.attr if isinstance(node, ast.Attribute) else ""
            fitted, at = self.fitted(called)
            of_module = ast.Attribute(fitted, attribute, ast.Load())
            return ast.copy_location(of_module, fitted), at
        return node, self.before_training(place, called)

    def before_training(self, place: Place, called: NetworkCall) -> Place:
        """The loop that trains, where the place is in one: what it does is no part of building."""
        loops = [
            loop
            for frame, loop in self.finder.loops(called.place)
            if frame.scope is place.frame.scope
        ]
        return Place(place.frame, loops[-1]) if loops else place

    def fitted(self, called: NetworkCall) -> tuple[ast.expr, Place]:
        """What a trainer is given to fit: a Lightning module."""
        for scope in self.code.scopes:
            for call, statement in scope.calls:
                if isinstance(call.func, ast.Attribute) and call.func.attr == "fit" and call.args:
                    frame = self.code.frames(scope)[0]
                    found = self.finder.network(call.args[0], frame)
                    if found is not None:
                        return self.finder.lifted(call.args[0], Place(frame, statement))
        if (cli := self.command_line()) is not None:
            call, place = cli
            named = {k.arg: k.value for k in call.keywords}
            cls = named.get("model_class") or (call.args[0] if call.args else None)
            if cls is not None and self.code.network_class(cls, place.module) is called.cls:
                return self.instance(cls, place), place
        raise called.place.module.in_the_way(
            called.call,
            "no trainer of the source is seen to fit this network",
            "name the script that calls fit(network, ...)",
            "PYR420",
        )

    def command_line(self) -> tuple[ast.Call, Place] | None:
        """``LightningCLI(Net, Data)``, which builds and fits what it is given."""
        for scope in self.code.scopes:
            for call, statement in scope.calls:
                if LIGHTNING_CLI.fullmatch(self.finder.named(call.func, scope)):
                    return call, Place(self.code.frames(scope)[0], statement)
        return None

    def instance(self, cls: ast.expr, place: Place) -> ast.expr:
        """A class as it is built without arguments."""
        found = self.code.definition(cls, place.module)
        scope = self.code.method(found[1], "__init__") if found else None
        needed = [n for n, default in scope.parameters.items() if default is None] if scope else []
        if needed:
            raise place.module.in_the_way(
                cls,
                f"the command line has to give {needed[0]} of {ast.unparse(cls)}",
                "give it a default, which the new script takes",
            )
        self.instead[cls] = f"{ast.unparse(cls)}()"
        return cls

    # The data

    def data(self, step: Step) -> str:
        """The function that gives the loaders, and how a batch of theirs is read."""
        for frame, loop in self.finder.loops(step.called.place):
            if isinstance(loop, ast.For) and (found := self.of_loop(step, frame, loop)):
                return found
            if found := self.of_iterator(step, frame, loop):
                return found
        root = root_of(step.loss.place.frame).scope
        if getattr(root.node, "name", "") == "training_step":
            return self.of_lightning(step, root)
        return self.of_whole(step)

    def wants(self, step: Step) -> list[Want]:
        called, loss = step.called, step.loss
        values = [*called.call.args, *(k.value for k in called.call.keywords)]
        return [
            Want(called.place.frame, frozenset(reads(*values)), called.place.at),
            Want(loss.place.frame, frozenset(reads(loss.target)), loss.place.at),
        ]

    def unflattened(self, step: Step) -> dict[ast.AST, str]:
        """What to write instead of the calls that join rows with their positions."""
        if step.loss.part is not None:
            return {}
        writer = Writer(self.code, step.loss.place.module)
        return {call: writer.expression(within(call)) for call in step.loss.flattened}

    def row(self, step: Step) -> str:
        """Inputs and targets as an expression."""
        called, loss = step.called, step.loss
        writer = Writer(self.code, called.place.module)
        for item in called.call.args:
            if isinstance(item, ast.Starred):
                raise called.place.module.in_the_way(
                    item, "the network is given a list that is unpacked", "name its inputs"
                )
        values = [*called.call.args, *(k.value for k in called.call.keywords)]
        inputs = ", ".join(writer.expression(value) for value in values)
        views = self.unflattened(step)
        targets = Writer(self.code, loss.place.module, views).expression(loss.target)
        return f"({inputs}{',' if len(values) == 1 else ''}), {targets}"

    def of_loop(self, step: Step, frame: Frame, loop: ast.For) -> str:
        """The data of a loop over batches; empty where this loop gives none."""
        region = Region.of_loop(frame.scope, loop)
        cutter = Cutter(self.code, region=region, replace=self.unflattened(step))
        cut = cutter.cut(*self.wants(step))
        target, node = self.finder.iterated(loop, frame)
        if not cutter.from_region:
            return ""
        self.refuse_conflicting_row(step)
        place = Place(frame, loop)
        if self.finder.counts(node, frame.scope.module):
            return self.of_numbers(step, cut, place, target, node)
        if odd := cutter.from_region - {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}:
            raise frame.scope.module.in_the_way(
                loop,
                f"a batch depends on {min(odd)}, which counts the batches",
                "make it independent of that",
            )
        parts = {"train": self.finder.lifted(node, place)}
        parts |= self.held_out(step, parts["train"])
        self.note(loop, place, "data", ast.unparse(parts["train"][0]))
        return self.loaders(step, cut, parts, target)

    def of_iterator(self, step: Step, frame: Frame, loop: ast.For | ast.While) -> str:
        """The data of a loop that takes the next batch of an iterator over a loader."""
        for number, statement in enumerate(loop.body):
            taken = next(_takes_next(statement), None)
            if taken is None:
                continue
            target, iterator = taken
            made = list(self.finder.constants.assigned(iterator, frame.scope))
            over = {ast.unparse(each): each for each in made}
            if len(over) != 1 or not isinstance(each := made[0], ast.Call):
                continue
            if ast.unparse(each.func) != "iter" or len(each.args) != 1:
                continue
            names = frozenset(n.id for n in ast.walk(target) if isinstance(n, ast.Name))
            region = Region(frame.scope, loop.body[number + 1 :], names, loop)
            cutter = Cutter(self.code, region=region, replace=self.unflattened(step))
            cut = cutter.cut(*self.wants(step))
            if not cutter.from_region:
                continue
            self.refuse_conflicting_row(step)
            parts = {"train": self.finder.lifted(each.args[0], Place(frame, loop))}
            parts |= self.held_out(step, parts["train"])
            self.note(statement, Place(frame, loop), "data", ast.unparse(parts["train"][0]))
            self.counted = loop
            return self.loaders(step, cut, parts, target)
        return ""

    def loaders(
        self,
        step: Step,
        cut: Cut,
        parts: Mapping[str, tuple[ast.expr, Place]],
        target: ast.expr,
    ) -> str:
        """The function that gives the loaders of ``parts`` and what reads a batch."""
        self.trained_on = parts.get("train")
        wants = [
            *cut.left,
            *(Want(p.frame, frozenset(reads(n)), p.at) for n, p in parts.values()),
        ]
        given = (*cut.nodes, *(node for node, _ in parts.values()))
        outer = Cutter(self.code, seeds=True, given=given).cut(*wants)
        self.folders.update(dict.fromkeys((*cut.folders, *outer.folders)))
        name = ast.unparse(target) if isinstance(target, ast.Name) else "batch"
        taken = [] if isinstance(target, ast.Name) else [f"{_bare(target)} = batch"]
        inner = [f"def rows_of({name}: Any) -> Any:"]
        inner += indented([*taken, *cut.lines, f"return {self.row(step)}"])
        texts = {
            part: Writer(self.code, place.module, self.instead).expression(node)
            for part, (node, place) in parts.items()
        }
        items = ", ".join(f'"{part}": {text}' for part, text in texts.items())
        return function(
            "def project_data() -> Any:",
            f'"""The batches of {self.code.path}, and how it reads one."""',
            {**outer.imports, **cut.imports},
            [*outer.lines, "", *inner, "", f"return {{{items}}}, rows_of"],
        )

    def of_numbers(
        self, step: Step, cut: Cut, place: Place, target: ast.expr, node: ast.expr
    ) -> str:
        """The data of a loop that counts and takes rows by number."""
        wants = [*cut.left, Want(place.frame, frozenset(reads(node)), place.at)]
        given = (*cut.nodes, node)
        outer = Cutter(self.code, seeds=True, given=given).cut(*wants)
        self.folders.update(dict.fromkeys((*cut.folders, *outer.folders)))
        writer = Writer(self.code, place.module)
        assert isinstance(place.at, ast.For)
        header = f"for {ast.unparse(place.at.target)} in {writer.expression(place.at.iter)}:"
        inner = ["def batches() -> Any:", f"    {header}"]
        inner += indented(indented([*cut.lines, f"yield {self.row(step)}"]))
        self.note(place.at, place, "data", "the rows of each turn")
        return function(
            "def project_data() -> Any:",
            f'"""The batches of one epoch of {self.code.path}."""',
            {**outer.imports, **cut.imports},
            [*outer.lines, "", *inner, "", 'return {"train": batches()}, None'],
        )

    def of_whole(self, step: Step) -> str:
        """All rows, which each step is given at once."""
        views = self.unflattened(step)
        cutter = Cutter(self.code, seeds=True, given=self.row_nodes(step), replace=views)
        cut = cutter.cut(*self.wants(step))
        self.refuse_new_each_step(step, cutter)
        self.refuse_conflicting_row(step)
        self.folders.update(dict.fromkeys(cut.folders))
        self.note(step.called.call, step.called.place, "data", self.row(step))
        row = self.row(step)
        return function(
            "def project_data() -> Any:",
            f'"""The rows of {self.code.path}."""',
            cut.imports,
            [*cut.lines, f'return {{"train": ({row})}}, None'],
        )

    def row_nodes(self, step: Step) -> list[ast.AST]:
        call = step.called.call
        return [*call.args, *(k.value for k in call.keywords), step.loss.target]

    def refuse_new_each_step(self, step: Step, cutter: Cutter) -> None:
        """Refuses data that a step draws anew: one draw of it is not the data."""
        for _, loop in self.finder.loops(step.called.place):
            for statement in flat(loop.body):
                if statement not in cutter.kept:
                    continue
                for part in headers(statement):
                    for call in (n for n in ast.walk(part) if isinstance(n, ast.Call)):
                        if _may_differ(call.func):
                            raise step.called.place.module.in_the_way(
                                statement,
                                f"each step makes its rows anew: {ast.unparse(statement)}",
                                "let a loop go over a DataLoader, or name the rows by svi.data in "
                                "the spec",
                            )

    def refuse_conflicting_row(self, step: Step) -> None:
        """Refuses what only the network itself can tell: its state, say."""
        values = self.row_nodes(step)
        func = chain(step.called.call.func)
        for value in values:
            for node in ast.walk(value):
                if isinstance(node, ast.Call) and node is not step.called.call:
                    if self.finder.network(node.func, step.called.place.frame):
                        raise step.loss.place.module.in_the_way(
                            node,
                            "a network makes what another is given",
                            "set svi.data and svi.likelihood in the spec",
                        )
                if func and chain(node)[: len(func)] == func and func != ("self",):
                    raise step.called.place.module.in_the_way(
                        node,
                        f"the network is given what it made itself: {ast.unparse(node)}",
                        "make it in forward() where it is not given",
                    )

    def of_lightning(self, step: Step, scope: Scope) -> str:
        """The loaders, or the data module, that a trainer is given."""
        _, place = self.fitted(step.called)
        call, given = self.fit_of(place)
        parts = {}
        if "datamodule" in given:
            parts["module"] = self.finder.lifted(given["datamodule"], place)
        elif "train_dataloaders" in given:
            parts["train"] = self.finder.lifted(given["train_dataloaders"], place)
            if "val_dataloaders" in given:
                parts["validation"] = self.finder.lifted(given["val_dataloaders"], place)
            parts |= self.tested(place.frame)
        else:
            raise place.module.in_the_way(
                call,
                "the trainer is given no loader: the network makes its own",
                "give fit() a loader, or a data module",
            )
        batch = next(iter(scope.parameters), "batch")
        region = Region(scope, scope.node.body, frozenset((batch,)))
        views = self.unflattened(step)
        cut = Cutter(self.code, region=region, replace=views).cut(*self.wants(step))
        self.note(call, place, "data", ast.unparse(next(iter(parts.values()))[0]))
        return self.loaders(step, cut, parts, ast.Name(batch))

    def fit_of(self, place: Place) -> tuple[ast.Call, dict[str, ast.expr]]:
        """The call that fits, and its arguments by name."""
        cli = self.command_line()
        if cli is not None and cli[1].at is place.at:
            call, _ = cli
            given = dict(zip(("model_class", "datamodule_class"), call.args, strict=False))
            given |= {k.arg: k.value for k in call.keywords if k.arg}
            data = given.get("datamodule_class")
            return call, {} if data is None else {"datamodule": self.instance(data, place)}
        call = next(
            c
            for c, s in place.frame.scope.calls
            if s is place.at and isinstance(c.func, ast.Attribute) and c.func.attr == "fit"
        )
        names = ("model", "train_dataloaders", "val_dataloaders", "datamodule")
        given = dict(zip(names, call.args, strict=False))
        return call, given | {k.arg: k.value for k in call.keywords if k.arg}

    def tested(self, frame: Frame) -> dict[str, tuple[ast.expr, Place]]:
        """The loader of ``trainer.test(...)``."""
        for call, statement in frame.scope.calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr == "test":
                named = {k.arg: k.value for k in call.keywords}
                value = named.get("dataloaders") or (call.args[1] if len(call.args) > 1 else None)
                if value is not None:
                    return {"test": self.finder.lifted(value, Place(frame, statement))}
        return {}

    def held_out(
        self, step: Step, train: tuple[ast.expr, Place]
    ) -> dict[str, tuple[ast.expr, Place]]:
        """The loaders that the network is only evaluated on."""
        own = ast.unparse(train[0])
        found: dict[str, tuple[ast.expr, Place]] = {}
        for scope in self.code.scopes:
            for loop in (s for s in flat(scope.node.body) if isinstance(s, ast.For)):
                if not self.evaluates(loop, scope, step):
                    continue
                for frame in self.code.frames(scope):
                    _, node = self.finder.iterated(loop, frame)
                    if self.finder.counts(node, scope.module):
                        continue
                    lifted, place = self.finder.lifted(node, Place(frame, loop))
                    if ast.unparse(lifted) != own:
                        found.setdefault(ast.unparse(lifted), (lifted, place))
        return self.named_parts(found)

    def evaluates(self, loop: ast.For, scope: Scope, step: Step) -> bool:
        """Whether a loop calls the network and does not train it."""
        frame = self.code.frames(scope)[0]
        is_called = False
        for statement in flat(loop.body):
            for part in headers(statement):
                for call in (n for n in ast.walk(part) if isinstance(n, ast.Call)):
                    if isinstance(call.func, ast.Attribute) and call.func.attr == "backward":
                        return False
                    network = self.finder.network(call.func, frame)
                    is_called |= network is not None and network[0] is step.called.cls
        return is_called

    def named_parts(
        self, found: Mapping[str, tuple[ast.expr, Place]]
    ) -> dict[str, tuple[ast.expr, Place]]:
        """One part is for the test; of two, the one that is called so is for validation."""
        validation = [text for text in found if _HELD.search(text)]
        tests = [text for text in found if text not in validation]
        if not found:
            return {}
        if not tests:
            tests, validation = validation[:1], validation[1:]
        parts = {"test": found[tests[0]]}
        if validation:
            parts["validation"] = found[validation[0]]
        return parts

    # The output and the loss

    def output(self, step: Step) -> str:
        """The function from the network's output to what the likelihood takes, where needed."""
        loss, called = step.loss, step.called
        name = "output"
        replace: dict[ast.AST, str] = {called.call: name}
        if loss.part is not None:
            return function(
                f"def output_of({name}: Any) -> Any:",
                f'"""What {self.code.path} takes of the output, beside the loss."""',
                {},
                [f"return {name}[{loss.part}]"],
            )
        for call in loss.flattened:
            inside = Writer(self.code, loss.place.module, replace).expression(within(call))
            replace = {**replace, call: inside}
        cutter = Cutter(self.code, replace=replace, free=frozenset((name,)))
        writer = cutter.writer(loss.place.module)
        text = writer.expression(loss.output)
        if loss.third is not None and _has_variance(loss):
            text = f"torch.cat([{text}, {writer.expression(loss.third)}], -1)"
        names = reads(ast.parse(text, mode="eval")) - {"torch"}
        try:
            cut = cutter.cut(Want(loss.place.frame, frozenset(names), loss.place.at))
        except InTheWay as error:
            raise self.mixed(loss, error.finding.message) from error
        bound = {n for line in cut.lines for n in _bound(line)}
        if shared := bound & {n for want in self.wants(step) for n in want.names}:
            others = shared - names
            with_it = f"set together with {min(others)}" if others else "read with the rows"
            raise self.mixed(loss, f"{min(names & bound or shared)} is {with_it}")
        if _is_plain([*cut.lines, text], name):
            return ""
        return function(
            f"def output_of({name}: Any) -> Any:",
            f'"""What line {loss.node.lineno} of {loss.place.module.path} takes of the output."""',
            cut.imports,
            [*cut.lines, f"return {text}"],
        )

    def is_of(self, own: Any, meaning: Meaning) -> bool:
        """Whether the spec names the family of the loss, and nothing against it."""
        said = dict(own) if isinstance(own, Mapping) else {}
        gives = said.get("gives", meaning.gives)
        return said.get("family") == meaning.family and gives == meaning.gives

    def padding(self, loss: Loss) -> int | str:
        """The class that the loss leaves out."""
        ignored = loss.settings.get("ignore_index")
        if ignored is None:
            return "none"
        number = _whole(self.finder.constants.number(ignored.node, ignored.frame))
        if number is None:
            self.left_out(
                ignored.node,
                ignored.frame.scope.module.path,
                f"which class {ast.unparse(ignored.node)} is is not to be seen: all count",
                "svi.likelihood.padding in the spec sets it",
            )
            return "none"
        return number

    def mixed(self, loss: Loss, why: str) -> InTheWay:
        """The error about an output that is not taken by itself."""
        return loss.place.module.in_the_way(
            loss.output,
            f"what the loss takes of the output depends on the data: {why}",
            "let forward() give what the loss takes, or write a svi.likelihood.factor, which is "
            "given the network and the whole batch",
            "PYR422",
        )

    def likelihood(self, loss: Loss) -> dict[str, Any]:
        """The likelihood that a loss stands for, and what that takes the output for."""
        settings = {key: ast.unparse(located.node) for key, located in loss.settings.items()}
        meaning = meaning_of(loss.name, settings)
        own = self.svi.get("likelihood")
        if meaning is None or (own and not self.is_of(own, meaning)):
            return {}
        family = meaning.family
        section: dict[str, Any] = {"family": family}
        section |= {"gives": meaning.gives} if meaning.gives else {}
        if loss.flattened and family == "categorical":
            family = "tokens"
            section |= {"family": family, "padding": self.padding(loss)}
        path = loss.place.module.path
        if _has_variance(loss) and loss.third is None:
            raise self.finder._no_loss(loss.node, loss.place)
        if loss.third is not None and not _has_variance(loss):
            given = ast.unparse(loss.third)
            message = f"{loss.name}(..., {given}) has no counterpart"
            help = "the likelihood is that of the loss without it"
            self.left_out(loss.third, path, message, help)
        for key, located in loss.settings.items():
            if key not in HARMLESS and ast.unparse(located.node) != "None":
                self.left_out(
                    located.node,
                    located.frame.scope.module.path,
                    f"{loss.name}({key}={ast.unparse(located.node)}) has no counterpart",
                    "the likelihood is that of the loss without it",
                )
        if meaning.note:
            message = f"{loss.name} is no likelihood; {family} is taken: {meaning.note}"
            self.left_out(loss.node, path, message, "set svi.likelihood in the spec")
        self.note(loss.node, loss.place, "likelihood", f"{family}, of {loss.name}")
        return section

    # Numbers

    def optimiser(self, step: Step) -> dict[str, Any]:
        """The optimiser and its rate."""
        found = self.finder.optimiser(step)
        if found is None:
            self.left_out(
                step.loss.node,
                step.loss.place.module.path,
                "no optimiser of torch is seen",
                "svi.optimizer in the spec sets one; it is Adam with 0.01",
            )
            return {}
        dotted, call, frame = found
        name = dotted.rpartition(".")[2]
        path = frame.scope.module.path
        given = {k.arg: k.value for k in call.keywords if k.arg}
        rate = given.get("lr") or (call.args[1] if len(call.args) > 1 else None)
        lr = self.finder.constants.number(rate, frame) if rate is not None else None
        if rate is None:
            lr = RATES_BY_DEFAULT.get(name)
        known = "Adam" if name == "AdamW" else name
        if known not in OPTIMIZERS:
            message = f"{name} is not known: Adam with 0.01 is taken"
            self.left_out(call, path, message, f"choose svi.optimizer: {', '.join(OPTIMIZERS)}")
            return {}
        section: dict[str, Any] = {"name": known}
        if lr is None:
            text = ast.unparse(rate) if rate is not None else "its rate"
            message = f"what {text} comes to is not to be seen: 0.01 is taken"
            self.left_out(call, path, message, "svi.optimizer.lr in the spec sets it")
        else:
            section["lr"] = lr
        self.decay(name, call, given.get("weight_decay"), frame)
        for key in given:
            if key in ("momentum", "nesterov", "betas", "eps", "amsgrad"):
                self.left_out(call, path, f"{key} of {name} is not taken", "svi.optimizer has none")
        self.notes.append(
            f"optimizer: {known}, lr {section.get('lr', 0.01)}, by {path}:{call.lineno}"
        )
        return {"optimizer": section | self.schedule() | self.clipping()}

    def decay(self, name: str, call: ast.Call, given: ast.expr | None, frame: Frame) -> None:
        """Says what becomes of a weight decay."""
        if given is None and name != "AdamW":
            return
        decay = 0.01 if given is None else self.finder.constants.number(given, frame)
        if decay != 0:
            amount = ast.unparse(given) if given is not None else f"{decay}, the default of AdamW"
            what = f"{amount} is left to the prior"
            self.note(given or call, Place(frame, self.statement(call)), "weight decay", what)

    def statement(self, call: ast.Call) -> ast.stmt:
        """The one that a call is a part of."""
        found = (s for scope in self.code.scopes for inner, s in scope.calls if inner is call)
        return next(found)

    def schedule(self) -> dict[str, Any]:
        """How the rate falls."""
        for scope in self.code.scopes:
            for call, statement in scope.calls:
                dotted = self.code.dotted(call.func, scope.module) if chain(call.func) else ""
                if not dotted.startswith("torch.optim.lr_scheduler."):
                    continue
                name = dotted.rpartition(".")[2]
                if name in SCHEDULES_OF_TORCH:
                    place = Place(self.code.frames(scope)[0], statement)
                    self.note(call, place, "schedule", SCHEDULES_OF_TORCH[name])
                    return {"schedule": SCHEDULES_OF_TORCH[name]}
                message = f"{name} is not taken: the rate falls along a cosine"
                help = f"svi.optimizer.schedule in the spec may be {', '.join(SCHEDULES)}"
                self.left_out(call, scope.module.path, message, help)
                return {}
        return {}

    def clipping(self) -> dict[str, Any]:
        """The norm that gradients are cut to."""
        for scope in self.code.scopes:
            for call, statement in scope.calls:
                dotted = self.code.dotted(call.func, scope.module) if chain(call.func) else ""
                named = {k.arg: k.value for k in call.keywords}
                if dotted.startswith("torch.nn.utils.clip_grad_norm"):
                    norm = named.get("max_norm") or (call.args[1] if call.args[1:] else None)
                elif "gradient_clip_val" in named:
                    norm = named["gradient_clip_val"]
                elif dotted == "torch.nn.utils.clip_grad_value_":
                    message = "gradients are cut by their norm, to 10, not by their values"
                    help = "svi.optimizer.clip_norm in the spec sets the norm"
                    self.left_out(call, scope.module.path, message, help)
                    return {}
                else:
                    continue
                frame = self.code.frames(scope)[0]
                clip = self.finder.constants.number(norm, frame) if norm is not None else None
                if clip is not None and clip <= 0:
                    return {}  # as scripts say that nothing is cut
                if clip:
                    self.note(call, Place(frame, statement), "clip_norm", clip)
                    return {"clip_norm": clip}
                message = "what gradients are cut to is not to be seen: 10 is taken"
                help = "svi.optimizer.clip_norm in the spec sets it"
                self.left_out(call, scope.module.path, message, help)
                return {}
        return {}

    def length(self, step: Step) -> dict[str, Any]:
        """How many epochs."""
        constants = self.finder.constants
        if self.svi.get("epochs") or self.svi.get("steps"):
            return {}
        found = self.finder.optimiser(step)
        if found is not None and found[0].endswith(".LBFGS"):
            message = "steps of LBFGS are no epochs: as many are taken as scales need to move"
            path = found[2].scope.module.path
            self.left_out(found[1], path, message, "svi.epochs in the spec sets how many")
            return {}
        for frame, loop in self.finder.loops(step.called.place):
            if not isinstance(loop, ast.For):
                continue
            _, node = self.finder.iterated(loop, frame)
            if not self.finder.counts(node, frame.scope.module):
                continue
            assert isinstance(node, ast.Call)
            if len(node.args) >= 3:  # rows by number
                continue
            numbers = [constants.number(item, frame) for item in node.args]
            if None not in numbers and numbers:
                first, last = ([0, *numbers] if len(numbers) == 1 else numbers)[:2]
                epochs = int(last or 0) - int(first or 0)
                if epochs > 0 and loop is self.counted:
                    self.note(loop, Place(frame, loop), "steps", epochs)
                    return {"steps": epochs}
                if epochs > 0:
                    self.note(loop, Place(frame, loop), "epochs", epochs)
                    return {"epochs": epochs}
            self.left_out(
                loop,
                frame.scope.module.path,
                f"what {ast.unparse(node)} comes to is not to be seen: as many steps are taken "
                "as scales need to move",
                "svi.epochs in the spec sets how many",
            )
            return {}
        return self.trainer_epochs(step)

    def trainer_epochs(self, step: Step) -> dict[str, Any]:
        """``Trainer(max_epochs=...)``."""
        for scope in self.code.scopes:
            for call, _ in scope.calls:
                for keyword in call.keywords:
                    if keyword.arg == "max_epochs":
                        number = self.finder.constants.number(
                            keyword.value, self.code.frames(scope)[0]
                        )
                        if number:
                            self.notes.append(
                                f"epochs: {int(number)}, by {scope.module.path}:{call.lineno}"
                            )
                            return {"epochs": int(number)}
        self.left_out(
            step.loss.node,
            step.loss.place.module.path,
            "how many epochs there are is not to be seen: as many steps are taken as scales need",
            "svi.epochs in the spec sets how many",
        )
        return {}

    def batch_size(self, step: Step) -> int | None:
        """That of the loader that is trained on, or the stride of a loop over numbers."""
        constants = self.finder.constants
        for frame, loop in self.finder.loops(step.called.place):
            node = self.finder.iterated(loop, frame)[1] if isinstance(loop, ast.For) else None
            if isinstance(node, ast.Call) and self.finder.counts(node, frame.scope.module):
                if len(node.args) == 3:
                    return _whole(constants.number(node.args[2], frame))
        if self.trained_on is None:
            return None
        node, place = self.trained_on
        found = constants.locate(node, place.frame)
        if found is None or not isinstance(found.node, ast.Call):
            return None
        named = {k.arg: k.value for k in found.node.keywords}
        args = found.node.args
        size = named.get("batch_size") or (args[1] if len(args) > 1 else None)
        return _whole(constants.number(size, found.frame)) if size is not None else None

    def picks_device(self) -> bool:
        """Whether the script goes to an accelerator where there is one."""
        module = self.code.script
        return any(
            self.code.dotted(node, module)
            in ("torch.cuda.is_available", "torch.accelerator.is_available")
            for node in module.source.nodes.of(ast.Attribute)
            if chain(node)
        )

    def is_double(self, step: Step) -> bool:
        """Whether the script computes in double precision."""
        for scope in self.code.scopes:
            for call, statement in scope.calls:
                dotted = self.finder.named(call.func, scope)
                says = [self.code.dotted(a, scope.module) for a in call.args if chain(a)]
                doubled = any(name in ("torch.double", "torch.float64") for name in says)
                match call.func:
                    case ast.Attribute(value=owner, attr="double" | "to" as method):
                        network = self.finder.network(owner, self.code.frames(scope)[0])
                        is_own = network is not None and network[0] is step.called.cls
                        found = is_own and (method == "double" or doubled)
                    case _:
                        found = dotted == "torch.set_default_dtype" and doubled
                if found:
                    place = Place(self.code.frames(scope)[0], statement)
                    self.note(call, place, "dtype", "float64")
                    return True
        return False


def _may_differ(func: ast.expr) -> bool:
    """Whether a function may give something else when it is called with the same again."""
    if not isinstance(func, ast.Attribute):
        return not (isinstance(func, ast.Name) and func.id in SAME_AGAIN)
    if chain(func)[:1] in (("torch",), ("np",), ("numpy",), ("random",)):
        return func.attr not in SAME_AGAIN
    return func.attr not in DATA_MEMBERS - DRAWING


def _takes_next(statement: ast.stmt) -> Iterator[tuple[ast.expr, str]]:
    """What ``a, b = next(iterator)`` sets, and the name of the iterator."""
    for inner in flat([statement]):
        match inner:
            case ast.Assign(
                targets=[target],
                value=ast.Call(func=ast.Name(id="next"), args=[ast.Name(id=name)]),
            ):
                yield target, name


def _whole(number: float | None) -> int | None:
    return int(number) if number is not None else None


def merged(section: Mapping[str, Any], svi: Mapping[str, Any]) -> dict[str, Any]:
    """A section in which what the spec says wins, key by key."""
    found = dict(section)
    for key, value in svi.items():
        before = found.get(key)
        if not isinstance(value, Mapping):
            found[key] = value
        elif key == "likelihood":
            found[key] = {**value, **(before or {})}
        else:
            found[key] = {**(before if isinstance(before, Mapping) else {}), **value}
    return {key: value for key, value in found.items() if value != {}}


def function(head: str, doc: str, imports: Mapping[str, str], lines: Sequence[str]) -> str:
    """The source of a function; its imports stand first."""
    body = [doc, *_import_lines(imports.values())]
    if imports:
        body.append("")
    return "\n".join([head, *indented(_spaced([*body, *lines]))]).rstrip() + "\n"


def _import_lines(statements: Iterable[str]) -> list[str]:
    """Import statements in order, one for each module."""
    members: dict[str, list[str]] = {}
    whole: list[str] = []
    for line in sorted(set(statements)):
        source, found, names = line.removeprefix("from ").partition(" import ")
        if found:
            members.setdefault(source, []).append(names)
        else:
            whole.append(line)
    return [*whole, *(import_from(source, names) for source, names in members.items())]


def indented(lines: Iterable[str]) -> list[str]:
    """Lines four columns further in; those within texts of several lines too."""
    return [f"    {part}" if part else "" for line in lines for part in line.split("\n")]


def _spaced(lines: Sequence[str]) -> list[str]:
    """Lines with an empty one before and after each definition at their margin."""
    found: list[str] = []
    within = False
    for line in lines:
        begins = re.match(r"(def|class|@)", line) is not None
        ends = within and bool(line) and not line[0].isspace()
        if (begins or ends) and found and found[-1] and not found[-1].startswith("@"):
            found.append("")
        within = begins or (within and not ends)
        if line or (found and found[-1]):
            found.append(line)
    return found


def _bare(target: ast.expr) -> str:
    """A target without the brackets around a tuple."""
    return ast.unparse(ast.Assign([target], ast.Constant(0), lineno=1)).removesuffix(" = 0")


def _has_variance(loss: Loss) -> bool:
    """Whether a loss takes the variance beside the mean."""
    meaning = meaning_of(loss.name, {})
    return meaning is not None and meaning.gives == "variance"


def _bound(line: str) -> set[str]:
    try:
        tree = ast.parse(line.strip())
    except SyntaxError:  # the header of a block, or a line of several
        return set()
    return {name for statement in tree.body for name in bound_by(statement)}


def _is_plain(lines: Sequence[str], name: str) -> bool:
    """Whether all that lines do with ``name`` is to call it something else, or to shape it."""
    names = {name}
    for statement in ast.parse("\n".join(lines)).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                names.add(target)
            case ast.Expr(value=value):
                pass
            case _:
                return False
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr not in SHAPING or reads(*value.args):
                return False
            value = value.func.value
        if not isinstance(value, ast.Name) or value.id not in names:
            return False
    return True
