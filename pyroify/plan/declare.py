"""Facts and decisions to declarations: what is written at the end of a method, or in place.

Where the structure of a class is visible, each layer is named and declared (*visible*). Where it
is not, the whole class is converted at run time, by a loop over what is there (*run time*).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyroify.catalog.layers import LAYERS, Layer, LayerParameter, qualify, substitute
from pyroify.diagnostics import Finding
from pyroify.index.facts import Call, Choice, Function, Name
from pyroify.plan.lists import is_registered, module_lists
from pyroify.plan.model import Action as ActionName
from pyroify.plan.model import RuleRef, SitePlan
from pyroify.plan.names import FileNames
from pyroify.plan.structure import (
    Box,
    Leaf,
    Many,
    Node,
    Nothing,
    OneOf,
    Owned,
    Plain,
    calls_in,
    computes_weight,
    is_opaque,
    walk,
)
from pyroify.plan.study import Attribute, OwnParameter, Study, parameters_in
from pyroify.plan.ties import condition
from pyroify.spec.expressions import to_text
from pyroify.spec.match import Decision, SiteKey, decide, matches_class
from pyroify.spec.model import Action, Deterministic, Keep, Param, Spec
from pyroify.spec.render import Place, RenderError, free_names, render_declarations

OTHER = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for any name or layer that no rule mentions."""

SAFE_CONVERSION = (
    "for module in reversed(list(self.modules())):\n    to_pyro_module_(module, recurse=False)",
    "for name, module in list(self.named_children()):\n    setattr(self, name, module)",
)
"""Converts every module, then hands the names down; unlike ``to_pyro_module_(self)`` it passes by
children that are None. Children go first: a module that is converted while some of its children
are and some are not changes their order."""

TOUCHING_ALL = frozenset(
    "apply parameters named_parameters state_dict load_state_dict to half double modules".split()
)
"""Methods of a module that read or change all its parameters."""

CONVOLVED = re.compile(r"shape\[1\]( \* shape\[\d\])+")
"""The fan of a convolution's weight as the catalogue writes it: all but its first dimension."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A layer of torch.nn that the source can name: ``self.net[0]``, or a loop variable."""

    target: str
    path: str
    leaf: Leaf
    line: int
    loops: tuple[tuple[str, str], ...] = ()
    guards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """Layers found at run time below ``target``; ``layers`` are those the source shows."""

    target: str
    path: str
    layers: tuple[Layer, ...]
    line: int
    loops: tuple[tuple[str, str], ...] = ()
    guards: tuple[str, ...] = ()
    flat: bool = False
    """It is one of these layers itself, or has no parameters."""
    over: str = ""
    """What to loop over where all elements are such layers or have no parameters."""


@dataclass(frozen=True, slots=True)
class Each:
    """The parameters of a ParameterList, ParameterDict or recurrent layer, whatever their names."""

    target: str
    path: str
    layer: Layer
    line: int
    loops: tuple[tuple[str, str], ...] = ()
    guards: tuple[str, ...] = ()
    own: bool = False


Placement = Spot | Search | Each


@dataclass
class Declarations:
    """What one method comes to declare."""

    statements: list[str] = field(default_factory=list)
    in_place: dict[str, tuple[str, ...]] = field(default_factory=dict)
    buffers: list[OwnParameter] = field(default_factory=list)
    sites: list[SitePlan] = field(default_factory=list)
    keys: list[SiteKey] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    at_run_time: bool = False

    @property
    def random(self) -> frozenset[str]:
        """First names of the paths that are no plain parameters any more."""
        return frozenset(
            site.path.partition(".")[0] for site in self.sites if site.action != "keep"
        )


@dataclass
class Declarer:
    """Decides the sites of one class and writes their declarations."""

    study: Study
    spec: Spec
    names: FileNames
    method: Function | None = None
    gaps: bool = False
    """Somewhere in the project a container may hold None, which ``to_pyro_module_`` refuses."""
    tied: frozenset[str] = frozenset()
    """Paths that read another parameter: they are declared with the tie."""

    def declare(self, method: Function | None, covered: tuple[Function, ...]) -> Declarations:
        """Declarations of everything the ``covered`` methods attach."""
        made = Declarations()
        self.method = method
        attributes = self.study.attributes(covered)
        made.at_run_time = self.needs_run_time(attributes, covered)
        statements: list[str] = []
        if method is self.study.constructor:
            statements.extend(self._latents(made))
        for parameter in self.study.parameters(covered):
            self._own(parameter, made, statements)
        if method is None or method is self.study.constructor:
            statements.extend(self._inherited(made))
        if made.at_run_time:
            statements.extend(self._at_run_time(attributes, made))
        else:
            for attribute in attributes:
                self._partial_rules(attribute, made)
            statements.extend(self._visible(attributes, made))
        made.statements = statements
        return made

    # Which way

    def needs_run_time(self, attributes: Sequence[Attribute], covered: Iterable[Function]) -> bool:
        """Whether part of what is attached can only be seen at run time."""
        if any(method.indirect for method in covered):
            return True
        if any(item.path == ("*",) for method in covered for item in method.assignments):
            return True
        if self._misses_some(attributes, tuple(covered)):
            return True
        if self._computes_weights(covered):
            return True
        if any(is_registered(self.study, item) for item in module_lists(self.study)):
            return True
        base = self.study.cls.library_base
        if base is not None and base.kind == "compound":
            return True
        if self._probes(attributes, covered):
            return True
        return any(
            is_opaque(attribute.node) or any(_is_compound(item) for item in walk(attribute.node))
            for attribute in attributes
        )

    def _computes_weights(self, covered: Iterable[Function]) -> bool:
        """Whether parameters get other names after their layer is made."""
        return any(
            isinstance(call.callee, Name) and computes_weight(call.callee.dotted)
            for method in covered
            for call in method.layer_calls
        )

    def _probes(self, attributes: Sequence[Attribute], covered: Iterable[Function]) -> bool:
        """Whether layers are called while they are built, to see the size of what they give."""
        names = {attribute.name for attribute in attributes}
        return any(
            use.how == "call" and use.path[0] in names and use.path[1:] in ((), ("forward",))
            for method in covered
            if method.name in self.study.building
            for use in method.uses
        )

    def _misses_some(self, attributes: Sequence[Attribute], covered: tuple[Function, ...]) -> bool:
        """Whether a layer or parameter is made there that none of the attributes accounts for."""
        nodes = [item for attribute in attributes for item in walk(attribute.node)]
        calls = {(n.call.line, n.call.column) for n in nodes if isinstance(n, Leaf) and n.call}
        made = {(n.parameter.line, n.parameter.column) for n in nodes if isinstance(n, Owned)}
        for own in self.study.parameters(covered):
            made |= {(item.line, item.column) for item in own.made}
        index, path = self.study.resolver.index, self.study.cls.file.path
        for method in covered:
            for parameter in method.parameter_calls:
                if (parameter.line, parameter.column) not in made:
                    return True
            calls |= set(self._handed_over(method))
            for call in method.layer_calls:
                layer = (
                    index.layer(call.callee.dotted, path) if isinstance(call.callee, Name) else None
                )
                if layer is None or layer.kind in ("stateless", "container"):
                    continue
                if (call.line, call.column) not in calls:
                    return True
        return False

    def _handed_over(self, method: Function) -> Iterator[tuple[int, int]]:
        """Layers made as arguments of a class of the project, which takes care of them."""
        index, path = self.study.resolver.index, self.study.cls.file.path
        for call in method.layer_calls:
            if (
                isinstance(call.callee, Name)
                and index.resolve(call.callee.dotted, path).module_class
            ):
                for passed in call.args:
                    yield from ((c.line, c.column) for c in calls_in(passed.value))

    # Own parameters

    def _own(self, parameter: OwnParameter, made: Declarations, statements: list[str]) -> None:
        if parameter.name in self.tied:
            return
        frozen = parameter.frozen
        key = self._key(parameter.name, "", frozen=frozen is True)
        decision = self._decided(key, parameter.assignments[0].line)
        made.keys.append(key)
        cls = self.study.cls
        for latent in self.spec.latents:
            if latent.name == parameter.name and matches_class(
                latent.class_pattern, cls.file.module, cls.cls.qualname
            ):
                decision = Decision(latent.action, None)
        first = parameter.assignments[0]
        if parameter.declared is not None:
            self._declared(parameter, decision, made)
            return
        if isinstance(decision.action, Keep):
            shape = parameter.made[0].shape if parameter.made else None
            made.sites.append(
                self._site(parameter.name, first.line, first.column, decision, "", shape=shape)
            )
            if frozen is True and len(parameter.assignments) == 1 and self._is_direct(parameter):
                made.buffers.append(parameter)
            return
        if self._replaceable(parameter):
            sources = tuple(
                self._render(
                    decision.action,
                    Place(
                        target=f"self.{parameter.name}",
                        owner="self",
                        shape=item.shape,
                        ndim=None if item.shape is None else len(item.shape),
                        initial=item.initial or None,
                    ),
                    made,
                    first.line,
                    first.column,
                )
                for item in parameter.made
            )
            if all(sources):
                made.in_place[parameter.name] = sources
                shape = parameter.made[0].shape
                made.sites.append(
                    self._site(
                        parameter.name, first.line, first.column, decision, sources[0], shape=shape
                    )
                )
            return
        self._own_last(parameter, decision, made, statements)

    def _own_last(
        self,
        parameter: OwnParameter,
        decision: Decision,
        made: Declarations,
        statements: list[str],
    ) -> None:
        """Declare an own parameter at the end, with its shape read from what is there."""
        target = f"self.{parameter.name}"
        ranks = {len(item.shape) for item in parameter.made if item.shape is not None}
        known = len(ranks) == 1 and all(item.shape is not None for item in parameter.made)
        first = parameter.assignments[0]
        shape = self._static_shape(parameter)
        source = self._render(
            decision.action,
            Place(
                target=target,
                owner="self",
                shape=shape,
                ndim=ranks.pop() if known else None,
                fan_in=None if shape or known else f"{target}.flatten(1).shape[1]",
                fan_out=None if shape or known else f"{target}.transpose(0, 1).flatten(1).shape[1]",
                initial=f"{target}.detach()",
            ),
            made,
            first.line,
            first.column,
        )
        if not source:
            return
        statement = f"{target} = {source}"
        guards = []
        if parameter.optional:
            guards.append(_absence(target, parameter.assignments))
        if parameter.frozen is None:
            guards.append(f"{target}.requires_grad")
        statements.append(_guarded(" and ".join(guards), [statement]))
        made.sites.append(self._site(parameter.name, first.line, first.column, decision, source))

    def _static_shape(self, parameter: OwnParameter) -> tuple[str, ...] | None:
        """Its shape, where the sizes still mean the same at the end of the method."""
        if (
            len(parameter.made) != 1
            or not parameter.made[0].stable
            or not self._is_direct(parameter)
        ):
            return None
        if parameter.method is not self.method:
            return None
        shape = parameter.made[0].shape
        return shape if shape is not None and all(map(self._is_steady, shape)) else None

    def _is_direct(self, parameter: OwnParameter) -> bool:
        """Whether ``nn.Parameter(...)`` is what is assigned, or an arm of a conditional."""
        for assignment in parameter.assignments:
            place = (assignment.value_line, assignment.value_column)
            arms = isinstance(assignment.value, Choice)
            for made in parameters_in(assignment.value):
                if (made.line, made.column) != place and not (arms and made.line >= place[0]):
                    return False
                if arms and assignment.how == "register":
                    return False
        return True

    def _declared(self, parameter: OwnParameter, decision: Decision, made: Declarations) -> None:
        """A parameter that is declared in place already: written anew if the spec changed."""
        declared = parameter.declared
        assert declared is not None
        first = parameter.assignments[0]
        if isinstance(decision.action, Keep):
            rule = "no rule" if decision.rule is None else f"rule {decision.rule.index + 1}"
            made.findings.append(
                self._finding(
                    first.line,
                    first.column,
                    "PYR060",
                    f"self.{parameter.name} is declared already, but {rule} of the spec keeps it",
                    f"git checkout -- {self.study.cls.file.path} restores the original",
                )
            )
            return
        same_kind = (declared.action == "param") == isinstance(decision.action, Param)
        place = Place(
            target=f"self.{parameter.name}",
            owner="self",
            shape=declared.shape or (() if ".expand(" not in declared.text else None),
            ndim=None if declared.shape is None else len(declared.shape),
            initial=declared.initial or None,
        )
        source = declared.text
        if same_kind and not isinstance(decision.action, Param):
            source = self._render(decision.action, place, made, first.line, first.column)
        made.sites.append(
            self._site(parameter.name, first.line, first.column, decision, source or declared.text)
        )
        if source and _normal(source) != _normal(declared.text):
            made.in_place[parameter.name] = (source,)

    def _replaceable(self, parameter: OwnParameter) -> bool:
        """Whether nothing but its own assignment makes, changes or reads it during construction."""
        if any(
            item.shape is None
            or item.chained
            or item.dtype not in ("", "None", "torch.float32", "torch.float")
            or item.frozen is None
            for item in parameter.made
        ):
            return False
        if any(item.how in ("chain", "tuple") for item in parameter.assignments):
            return False
        if not self._is_direct(parameter) or parameter.taken_back:
            return False
        branching = any(
            b[0] in ("for", "try") for item in parameter.assignments for b in item.branches
        )
        if branching or not self._has_nothing_on_self(parameter):
            return False
        return parameter.name not in self.names.touched

    def _has_nothing_on_self(self, parameter: OwnParameter) -> bool:
        """No other use of the parameter, nor of all parameters at once, while building."""
        study = self.study
        lineage = (study.cls, *study.relatives)
        for item in lineage:
            for method in item.cls.methods:
                during = method.name in study.building or method is parameter.method
                initial = during or _initialises(method)
                if not initial:
                    continue
                if method.self_calls & TOUCHING_ALL:
                    return False
                for use in method.uses:
                    if use.path[0] != parameter.name:
                        continue
                    stores = use.how == "store" and len(use.path) == 1
                    own = item is study.cls and method.name in study.building | {
                        parameter.method.name
                    }
                    if not (stores and own):
                        return False
        return True

    def _latents(self, made: Declarations) -> Iterator[str]:
        """New random attributes that the spec gives the class."""
        cls = self.study.cls
        for latent in self.spec.latents:
            if not matches_class(latent.class_pattern, cls.file.module, cls.cls.qualname):
                continue
            if any(own.name == latent.name for own in self.study.all_parameters):
                continue
            target = f"self.{latent.name}"
            owner = target.rpartition(".")[0]
            shape = tuple(to_text(size) for size in latent.shape)
            line, column = cls.cls.line, cls.cls.column
            pairs = self._pairs(latent.action, Place(target, owner, shape), made, line, column)
            for name, source in pairs:
                yield f"{name} = {source}"
            if pairs:
                rule = RuleRef(latent.index, latent.class_pattern, latent.line)
                made.sites.append(
                    SitePlan(
                        latent.name,
                        line,
                        column + 1,
                        "sample",
                        _shape_of(pairs[-1][1]),
                        "",
                        pairs[-1][1],
                        rule,
                    )
                )

    # Inherited from a layer of torch

    def _inherited(self, made: Declarations) -> Iterator[str]:
        base = self.study.cls.library_base
        if base is None or base.kind not in ("layer", "recurrent") or made.at_run_time:
            return
        line = self.study.cls.cls.line
        if base.kind == "recurrent":
            yield from self._each(Each("self", "", base, line), made)
        else:
            own = {parameter.name for parameter in self.study.all_parameters}
            yield from self._spot(Spot("self", "", Leaf(base), line), made, skip=own)

    # Structure in sight

    def _visible(self, attributes: Sequence[Attribute], made: Declarations) -> Iterator[str]:
        placements: list[Placement] = []
        for attribute in attributes:
            guards = () if attribute.present else (self._existence(attribute),)
            placements.extend(
                place(attribute.node, attribute.target, attribute.name, attribute.line, guards)
            )
        yield from self._grouped(placements, made)

    def _existence(self, attribute: Attribute) -> str:
        """A test for an attribute that is not always there: the source's own, where it has one."""
        tests = {condition(self.method, item) for item in attribute.assignments if self.method}
        test = tests.pop() if len(tests) == 1 else None
        if test and not set(re.findall(r"\bself\.(\w+)", test)) & self.study.unsteady:
            if not any(item in self.study.elsewhere for item in attribute.assignments):
                return test
        return f'hasattr(self, "{attribute.name}")'

    def _grouped(self, placements: Sequence[Placement], made: Declarations) -> Iterator[str]:
        """Declarations of several placements; runs of layers under one prior become one loop."""
        index = 0
        while index < len(placements):
            run = self._run(placements, index)
            if len(run) >= 3:
                yield self._loop(run, made)
                index += len(run)
                continue
            placement = placements[index]
            if isinstance(placement, Spot):
                yield from self._spot(placement, made)
            elif isinstance(placement, Search):
                yield from self._search(placement, made)
            else:
                yield from self._each(placement, made)
            index += 1

    def _run(self, placements: Sequence[Placement], start: int) -> list[Spot]:
        """Neighbouring layers, named one by one, whose every parameter has the same prior."""
        run: list[Spot] = []
        wanted: Action | None = None
        for placement in placements[start:]:
            if not isinstance(placement, Spot) or placement.loops or placement.guards:
                break
            if placement.line in self.study.ignored_lines:
                break
            actions = {
                decide(self.spec, self._key(_join(placement.path, p.name), p.layer)).action
                for p in placement.leaf.layer.parameters
            }
            partial = any(
                decide(self.spec, self._key(_join(placement.path, p.name), p.layer)).partial
                for p in placement.leaf.layer.parameters
            )
            if len(actions) != 1 or partial:
                break
            action = next(iter(actions))
            if isinstance(action, Keep) or (wanted is not None and action != wanted):
                break
            if isinstance(action, Deterministic) or _reads_fans(action):
                break
            wanted = action
            run.append(placement)
        return run

    def _loop(self, run: Sequence[Spot], made: Declarations) -> str:
        """One loop over several layers that share a prior."""
        action: Action = Keep()
        for spot in run:
            for parameter in spot.leaf.layer.parameters:
                if _presence(parameter, spot.leaf.call) is False:
                    continue
                path = _join(spot.path, parameter.name)
                decision = self._decide(path, parameter.layer, made)
                action = decision.action
                made.sites.append(
                    self._site(path, spot.line, 0, decision, self._generic(action, made, spot.line))
                )
        targets = ", ".join(spot.target for spot in run)
        head = "for name, value in list(layer.named_parameters(recurse=False)):"
        body = self._setting(action, "layer", made, run[0].line)
        return _indented(f"for layer in ({targets}):", [_indented(head, body)])

    def _spot(self, spot: Spot, made: Declarations, skip: Iterable[str] = ()) -> Iterator[str]:
        """One statement for each parameter of a layer."""
        statements: list[str] = []
        for parameter in spot.leaf.layer.parameters:
            if parameter.name in skip:
                continue
            presence = _presence(parameter, spot.leaf.call)
            if presence is False:
                continue
            path = _join(spot.path, parameter.name)
            if path in self.tied:
                continue
            decision = self._decide(path, parameter.layer, made, spot.line)
            target = f"{spot.target}.{parameter.name}"
            source = ""
            if not isinstance(decision.action, Keep):
                source = self._render(
                    decision.action, self._place(spot, parameter, target), made, spot.line, 0
                )
                if source:
                    guard = "" if presence else f"{target} is not None"
                    statements.append(_guarded(guard, [f"{target} = {source}"]))
            shape = self._place(spot, parameter, target).shape
            site = self._site(path, spot.line, 0, decision, source, parameter, spot, shape)
            made.sites.append(site)
        if spot.loops or spot.guards:
            statements = [_nested(spot.loops, spot.guards, statements)] if statements else []
        yield from statements

    def _place(self, spot: Spot, parameter: LayerParameter, target: str) -> Place:
        arguments = _arguments(spot.leaf)
        if arguments is not None:
            arguments = {name: text for name, text in arguments.items() if self._is_steady(text)}
        shape = None
        if arguments is not None and parameter.shape is not None:
            sizes = tuple(substitute(size, arguments) for size in parameter.shape)
            shape = None if None in sizes else tuple(size or "" for size in sizes)
        fans = []
        for fan in (parameter.fan_in, parameter.fan_out):
            given = substitute(fan, arguments) if fan and arguments is not None else None
            if fan and CONVOLVED.fullmatch(fan):
                given = f"{target}[0].numel()"
            fans.append(given or (qualify(fan, spot.target, target) if fan else None))
        return Place(
            target=target,
            owner=spot.target,
            shape=shape,
            ndim=parameter.ndim,
            fan_in=fans[0],
            fan_out=fans[1],
            initial=f"{target}.detach()",
        )

    def _is_steady(self, text: str) -> bool:
        """Whether the attributes a size reads are set only once, and here."""
        return not set(re.findall(r"\bself\.(\w+)", text)) & self.study.unsteady

    def _each(self, each: Each, made: Declarations) -> Iterator[str]:
        """A loop over the parameters of one module."""
        layer = "" if each.own else each.layer.name
        chains = self._chain(each.path, layer)
        if each.layer.kind == "recurrent":
            for parameter in each.layer.parameters:
                path = _join(each.path, parameter.name)
                decision = self._decide(path, parameter.layer, made)
                source = self._generic(decision.action, made, each.line)
                made.sites.append(self._site(path, each.line, 0, decision, source))
        else:
            path = _join(each.path, "*")
            decision = self._decide(path, layer, made)
            source = self._generic(decision.action, made, each.line)
            made.sites.append(self._site(path, each.line, 0, decision, source))
        body = self._body(chains, each.target, made, each.line)
        if body:
            head = f"for name, value in list({each.target}.named_parameters(recurse=False)):"
            yield _nested(each.loops, each.guards, [_indented(head, body)])

    def _search(self, search: Search, made: Declarations) -> Iterator[str]:
        """A loop over the layers below a container whose length the source does not show."""
        tables: dict[tuple[tuple[str, Action], ...], list[Layer]] = {}
        below = search.path if search.flat else f"{search.path}.*"
        for layer in search.layers:
            chain = self._chain(below, layer.name)
            tables.setdefault(tuple(chain.items()), []).append(layer)
            for parameter in layer.parameters:
                path = _join(below, parameter.name)
                decision = self._decide(path, parameter.layer, made)
                source = self._generic(decision.action, made, search.line)
                made.sites.append(self._site(path, search.line, 0, decision, source))
        if search.flat and len(tables) == 1:
            body = self._body(dict(next(iter(tables))), search.target, made, search.line)
            if body:
                head = f"for name, value in list({search.target}.named_parameters(recurse=False)):"
                yield _nested(search.loops, search.guards, [_indented(head, body)])
            return
        inner: list[str] = []
        for items, layers in tables.items():
            body = self._body(dict(items), "layer", made, search.line)
            if not body:
                continue
            head = "for name, value in list(layer.named_parameters(recurse=False)):"
            if search.over and len(tables) == 1:
                loop = _indented(f"for layer in {search.over}:", [_indented(head, body)])
                yield _nested(search.loops, search.guards, [loop])
                return
            test = self.names.isinstance_test("layer", layers)
            inner.append(_indented(f"{'el' if inner else ''}if {test}:", [_indented(head, body)]))
        if inner:
            loop = _indented(f"for layer in {search.target}.modules():", inner)
            yield _nested(search.loops, search.guards, [loop])

    # Structure out of sight

    def _at_run_time(self, attributes: Sequence[Attribute], made: Declarations) -> Iterator[str]:
        """Convert everything below ``self`` and declare what rules say of names and layers."""
        line = attributes[0].line if attributes else self.study.cls.cls.line
        self.names.use("to_pyro_module_")
        default = self._chain(OTHER, "")
        mentioned = self._mentioned_layers()
        rows: dict[tuple[tuple[str, Action], ...], list[Layer]] = {}
        for layer in mentioned:
            row = tuple(self._chain(OTHER, layer.name).items())
            if row != tuple(default.items()):
                rows.setdefault(row, []).append(layer)
        known = self._known_sites(attributes, made, default, rows)
        skipped = [f"id(self.{path})" for path, action in known.items() if isinstance(action, Keep)]
        yield from SAFE_CONVERSION if self.gaps else ("to_pyro_module_(self)",)
        for path, action in known.items():
            if isinstance(action, Keep):
                continue
            target = f"self.{path}"
            owner, _, _ = target.rpartition(".")
            place = _found_at(target, owner)
            source = self._render(action, place, made, line, 0)
            if source:
                yield f"{target} = {source}"
        if skipped:
            yield f"kept = {{{', '.join(skipped)}}}"
        loop = self._module_loop(default, rows, made, line, bool(skipped))
        if loop:
            yield loop
        for attribute in attributes:
            for name, action in default.items() if is_opaque(attribute.node) else ():
                # Parameters of these names, wherever below the attribute they are; or any other.
                path = f"{attribute.name}.**" if name == OTHER else f"{attribute.name}.**.{name}"
                decision = decide(self.spec, self._key(f"{attribute.name}.{name}", ""))
                source = self._generic(action, made, attribute.line)
                made.sites.append(self._site(path, attribute.line, 0, decision, source))

    def _module_loop(
        self,
        default: Mapping[str, Action],
        rows: Mapping[tuple[tuple[str, Action], ...], list[Layer]],
        made: Declarations,
        line: int,
        skipping: bool,
    ) -> str:
        tests: list[str] = []
        skip: list[Layer] = []
        for row, layers in rows.items():
            if all(isinstance(action, Keep) for _, action in row):
                skip.extend(layers)
        inner: list[str] = []
        if skip:
            test = self.names.isinstance_test("module", skip)
            inner.append(_indented(f"if {test}:", ["continue"]))
        head = "for name, value in list(module.named_parameters(recurse=False)):"
        condition = "value.requires_grad" + (" and id(value) not in kept" if skipping else "")
        for row, layers in rows.items():
            if all(isinstance(action, Keep) for _, action in row):
                continue
            body = [_indented(f"if {condition}:", self._body(dict(row), "module", made, line))]
            test = self.names.isinstance_test("module", layers)
            inner.append(_indented(f"if {test}:", [_indented(head, body), "continue"]))
        body = self._body(default, "module", made, line)
        if body:
            inner.append(_indented(head, [_indented(f"if {condition}:", body)]))
        elif not tests and not any(not isinstance(a, Keep) for row in rows for _, a in row):
            return ""
        return _indented("for module in self.modules():", inner)

    def _known_sites(
        self,
        attributes: Sequence[Attribute],
        made: Declarations,
        default: Mapping[str, Action],
        rows: Mapping[tuple[tuple[str, Action], ...], list[Layer]],
    ) -> dict[str, Action]:
        """Sites the source shows in a class converted at run time: those the loop gets wrong."""
        special: dict[str, Action] = {}
        by_layer = {layer.name: dict(row) for row, layers in rows.items() for layer in layers}
        for attribute in attributes:
            for spot in place(attribute.node, attribute.target, attribute.name, attribute.line, ()):
                if not isinstance(spot, Spot):
                    continue
                for parameter in spot.leaf.layer.parameters:
                    path = _join(spot.path, parameter.name)
                    decision = self._decide(path, parameter.layer, made)
                    table = by_layer.get(parameter.layer, default)
                    leaf = parameter.name.rpartition(".")[2]
                    expected = table.get(leaf, table[OTHER])
                    if expected != decision.action and not spot.loops and "*" not in path:
                        special[f"{spot.target}.{parameter.name}".removeprefix("self.")] = (
                            decision.action
                        )
                    source = self._generic(decision.action, made, spot.line)
                    made.sites.append(self._site(path, spot.line, 0, decision, source))
        for own in self.study.all_parameters:
            decision = decide(self.spec, self._key(own.name, "", frozen=own.frozen is True))
            if isinstance(decision.action, Keep) and not isinstance(
                default.get(own.name, default[OTHER]), Keep
            ):
                if own.frozen is not True and own.declared is None:
                    special[own.name] = decision.action
        return special

    def _chain(self, path: str, layer: str) -> dict[str, Action]:
        """What the rules say of each parameter name below a path, and of any other (OTHER)."""
        found = {
            name: decide(self.spec, self._key(_join(path, name), layer)).action
            for name in (*self._mentioned_names(), OTHER)
        }
        return {
            name: action
            for name, action in found.items()
            if name == OTHER or action != found[OTHER]
        }

    def _body(
        self, chain: Mapping[str, Action], owner: str, made: Declarations, line: int
    ) -> list[str]:
        """Statements that declare ``value``, the parameter ``name`` of ``owner``."""
        by_action: dict[Action, list[str]] = {}
        for name, action in chain.items():
            if name != OTHER:
                by_action.setdefault(action, []).append(name)
        default = chain[OTHER]
        if not by_action:
            return self._setting(default, owner, made, line)
        branches: list[str] = []
        for action, names in by_action.items():
            body = self._setting(action, owner, made, line) or ["continue"]
            test = (
                f'name == "{names[0]}"'
                if len(names) == 1
                else f"name in {tuple(names)!r}".replace("'", '"')
            )
            branches.append(_indented(f"{'el' if branches else ''}if {test}:", body))
        otherwise = self._setting(default, owner, made, line)
        if otherwise:
            branches.append(_indented("else:", otherwise))
        elif all(branch.endswith("continue") for branch in branches):
            return []
        return ["\n".join(branches)]

    def _setting(self, action: Action, owner: str, made: Declarations, line: int) -> list[str]:
        if isinstance(action, Keep):
            return []
        source = self._generic(action, made, line)
        if not source:
            return []
        wrapper = f"{self.names.local('PyroSample')}("
        if not source.startswith(wrapper):
            return [f"setattr({owner}, name, {source})"]
        return [f"prior = {source[len(wrapper) : -1]}", f"setattr({owner}, name, {wrapper}prior))"]

    def _generic(self, action: Action, made: Declarations, line: int) -> str:
        """A declaration of whatever ``value`` is."""
        if isinstance(action, Keep):
            return ""
        return self._render(action, _found_at("value", "layer"), made, line, 0)

    def _mentioned_names(self) -> tuple[str, ...]:
        names = {rule.match.rpartition(".")[2] for rule in self.spec.rules}
        return tuple(sorted(name for name in names if name and not set(name) & set("*?[:")))

    def _mentioned_layers(self) -> tuple[Layer, ...]:
        from fnmatch import fnmatchcase

        globs = [glob for rule in self.spec.rules for glob in rule.layers]
        return tuple(
            layer
            for name, layer in LAYERS.items()
            if layer.parameters
            and layer.kind != "lazy"
            and any(fnmatchcase(name, g) for g in globs)
        )

    # Sites

    def _decide(self, path: str, layer: str, made: Declarations, line: int = 0) -> Decision:
        key = self._key(path, layer)
        made.keys.append(key)
        return self._decided(key, line)

    def _decided(self, key: SiteKey, line: int) -> Decision:
        """What the spec says, unless a comment on the line takes it out."""
        if line in self.study.ignored_lines:
            return Decision(Keep(), None)
        return decide(self.spec, key)

    def _partial_rules(self, attribute: Attribute, made: Declarations) -> None:
        """Rules that address some elements of a container whose length is not known."""
        for spot in place(attribute.node, "self", attribute.name, attribute.line, ()):
            layers = spot.layers if isinstance(spot, Search) else ()
            pairs = [
                (_join(spot.path + ".*", p.name), p.layer)
                for layer in layers
                for p in layer.parameters
            ]
            if isinstance(spot, Spot):
                pairs = [(_join(spot.path, p.name), p.layer) for p in spot.leaf.layer.parameters]
            for path, layer in pairs:
                for rule in decide(self.spec, self._key(path, layer)).partial:
                    made.findings.append(
                        self._finding(
                            attribute.line,
                            0,
                            "PYR061",
                            f"rule {rule.index + 1} ({rule.match}) addresses single elements of "
                            f"{attribute.name}, whose number is only known at run time",
                            "match all elements with *, or name them in the source",
                        )
                    )

    def _key(self, path: str, layer: str, frozen: bool = False) -> SiteKey:
        cls = self.study.cls
        frozen = frozen or self.study.is_frozen(path)
        return SiteKey(cls.file.module, cls.cls.qualname, path, layer, frozen)

    def _site(
        self,
        path: str,
        line: int,
        column: int,
        decision: Decision,
        source: str,
        parameter: LayerParameter | None = None,
        spot: Spot | None = None,
        shape: tuple[str, ...] | None = None,
    ) -> SitePlan:
        return SitePlan(
            path=path,
            line=line,
            column=column + 1,
            action=_action_name(decision.action),
            shape=_shape_of(source) if shape is None else f"[{', '.join(shape)}]",
            layer=spot.leaf.layer.name if spot else "",
            source=source,
            rule=_reference(decision.rule),
            beaten=tuple(ref for rule in decision.beaten if (ref := _reference(rule))),
        )

    def _render(
        self, action: Action, place: Place, made: Declarations, line: int, column: int
    ) -> str:
        """Source of a declaration; empty, with a finding, where the site cannot bear it."""
        pairs = self._pairs(action, place, made, line, column)
        return pairs[-1][1] if len(pairs) == 1 else ""

    def _pairs(
        self, action: Action, place: Place, made: Declarations, line: int, column: int
    ) -> tuple[tuple[str, str], ...]:
        """What is assigned to what; nothing, with a finding, where the site cannot bear it."""
        if isinstance(action, Keep):
            return ()
        try:
            pairs = render_declarations(action, place, self.names.spec_names)
        except RenderError as error:
            finding = self._finding(line, column, error.code, error.message, error.help)
            if finding not in made.findings:
                made.findings.append(finding)
            return ()
        for _, source in pairs:
            self.names.use_those_in(free_names(source))
        return pairs

    def _finding(self, line: int, column: int, code: str, message: str, help: str = "") -> Finding:
        cls = self.study.cls
        subject = f"{cls.file.module}:{cls.cls.qualname}"
        return Finding(cls.file.path, line, column + 1, code, message, help, subject)


# Placements


def place(
    node: Node,
    target: str,
    path: str,
    line: int,
    guards: tuple[str, ...],
    loops: tuple[tuple[str, str], ...] = (),
) -> Iterator[Placement]:
    """How the layers of a structure are reached from the source."""
    match node:
        case Leaf(layer=layer):
            if layer.kind == "recurrent":
                yield Each(target, path, layer, line, loops, guards)
            elif any(_presence(p, node.call) is not False for p in layer.parameters):
                yield Spot(target, path, node, line, loops, guards)
        case Box(layer=layer) if layer.name in ("ParameterList", "ParameterDict"):
            yield Each(target, path, layer, line, loops, guards, own=True)
        case Box():
            yield from _place_box(node, target, path, line, guards, loops)
        case OneOf(nodes=nodes):
            yield from _place_choice(nodes, target, path, line, guards, loops)


def _place_box(
    box: Box,
    target: str,
    path: str,
    line: int,
    guards: tuple[str, ...],
    loops: tuple[tuple[str, str], ...],
) -> Iterator[Placement]:
    children = box.children
    if not any(isinstance(item, Leaf | Owned) or _is_parameters(item) for item in walk(box)):
        return
    if len(children) == 1 and isinstance(children[0], Many) and _is_plain_loop(children[0].node):
        over = f"{target}.values()" if box.layer.name == "ModuleDict" else target
        variable = _loop_variable(children[0].node, loops)
        yield from place(
            children[0].node, variable, _join(path, "*"), line, guards, (*loops, (variable, over))
        )
        return
    if any(isinstance(child, Many) or not _is_one(child) for child in children):
        layers = _layers(box)
        flat = all(
            isinstance(inner, Leaf | Plain) for child in children for inner in _elements(child)
        )
        if layers:
            over = f"{target}.values()" if box.layer.name == "ModuleDict" else target
            yield Search(target, path, layers, line, loops, guards, over=over if flat else "")
        return
    named = box.layer.name == "ModuleDict"
    for index, child in enumerate(children):
        key = box.keys[index].strip("'\"") if index < len(box.keys) else str(index)
        at = f'{target}["{key}"]' if named and index < len(box.keys) else f"{target}[{index}]"
        if not named and index < len(box.keys):
            at = f"{target}.{key}" if key.isidentifier() else at
        yield from place(child, at, _join(path, key), line, guards, loops)


def _elements(node: Node) -> tuple[Node, ...]:
    """What a child of a container may be."""
    if isinstance(node, Many):
        return _elements(node.node)
    return node.nodes if isinstance(node, OneOf) else (node,)


def _place_choice(
    nodes: tuple[Node, ...],
    target: str,
    path: str,
    line: int,
    guards: tuple[str, ...],
    loops: tuple[tuple[str, str], ...],
) -> Iterator[Placement]:
    real = [node for node in nodes if not isinstance(node, Nothing)]
    if len(real) < len(nodes):
        guards = (*guards, f"{target} is not None")
    if len(real) == 1 and not isinstance(real[0], Plain):
        yield from place(real[0], target, path, line, guards, loops)
        return
    layers = _layers(OneOf(tuple(real)))
    if layers:
        flat = all(isinstance(node, Leaf | Plain) for node in real)
        yield Search(target, path, layers, line, loops, guards, flat)


def _is_parameters(node: Node) -> bool:
    return isinstance(node, Box) and node.layer.name in ("ParameterList", "ParameterDict")


def _is_one(node: Node) -> bool:
    """Whether a child of a container is exactly one module."""
    if isinstance(node, OneOf):
        return not any(isinstance(item, Nothing) for item in node.nodes)
    return True


def _is_plain_loop(node: Node) -> bool:
    """Whether a loop over a container can name every layer of its elements."""
    if isinstance(node, Leaf):
        return True
    if isinstance(node, Box) and node.layer.name in ("Sequential", "ModuleList"):
        return not any(isinstance(child, Many | OneOf) for child in node.children)
    return False


def _layers(node: Node) -> tuple[Layer, ...]:
    found: dict[str, Layer] = {}
    for item in walk(node):
        if isinstance(item, Leaf):
            found[item.layer.name] = item.layer
    return tuple(found.values())


def _is_compound(node: Node) -> bool:
    return isinstance(node, Leaf) and node.layer.kind in ("compound", "lazy")


def _loop_variable(node: Node, loops: Sequence[tuple[str, str]]) -> str:
    names = ("layer",) if isinstance(node, Leaf) else ("block", "part", "piece")
    used = {variable for variable, _ in loops}
    return next((name for name in names if name not in used), f"layer_{len(loops)}")


# Source


def _arguments(leaf: Leaf) -> dict[str, str] | None:
    """Source of each constructor argument that can be written again, defaults filled in."""
    if leaf.call is None or leaf.call.starred:
        return None
    found: dict[str, str] = {}
    for position, (name, default) in enumerate(leaf.layer.signature):
        passed = leaf.call.argument(name, position)
        if passed is None and default is not None:
            found[name] = default
        elif passed is not None and passed.stable:
            found[name] = passed.text
    return found


def _presence(parameter: LayerParameter, call: Call | None) -> bool | None:
    """Whether a parameter is there; None where an expression of the source decides."""
    if parameter.present_if is None:
        return True
    if parameter.present_if.startswith("not ") or " or " in parameter.present_if:
        return None
    layer = LAYERS[parameter.layer]
    states = [_flag(layer, call, flag) for flag in parameter.present_if.split(" and ")]
    if False in states:
        return False
    return None if None in states else True


def _flag(layer: Layer, call: Call | None, flag: str) -> bool | None:
    for position, (name, default) in enumerate(layer.signature):
        if name != flag:
            continue
        if call is None:
            return None
        passed = call.argument(name, position)
        text = passed.text if passed else default if not call.starred else None
        return {"True": True, "False": False, "1": True, "0": False}.get(text or "")
    return None


def _shape_of(source: str) -> str:
    """The shape a declaration expands its prior to."""
    if ".expand(" not in source:
        return ""
    return source.split(".expand(", 1)[1].split(").to_event", 1)[0]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _found_at(target: str, owner: str) -> Place:
    """A parameter of which only run time knows the shape; a vector has no fans, and raises."""
    return Place(
        target=target,
        owner=owner,
        fan_in=f"{target}.flatten(1).shape[1]",
        fan_out=f"{target}.transpose(0, 1).flatten(1).shape[1]",
        initial=f"{target}.detach()",
    )


def _absence(target: str, assignments: Sequence[object]) -> str:
    from pyroify.plan.study import always_assigned

    if always_assigned(assignments):  # type: ignore[arg-type]
        return f"{target} is not None"
    owner, _, name = target.rpartition(".")
    return f'getattr({owner}, "{name}", None) is not None'


def _guarded(condition: str, statements: list[str]) -> str:
    return _indented(f"if {condition}:", statements) if condition else "\n".join(statements)


def _nested(loops: Sequence[tuple[str, str]], guards: Sequence[str], statements: list[str]) -> str:
    """Statements inside loops, inside guards."""
    for variable, over in reversed(loops):
        statements = [_indented(f"for {variable} in {over}:", statements)]
    for guard in reversed(guards):
        statements = [_indented(f"if {guard}:", statements)]
    return "\n".join(statements)


def _indented(head: str, body: Iterable[str]) -> str:
    lines = [line for statement in body for line in statement.split("\n")]
    return "\n".join([head, *(f"    {line}" for line in lines)])


def _normal(source: str) -> str:
    import ast

    return ast.unparse(ast.parse(source))


def _initialises(method: Function) -> bool:
    """Whether a method is one that initialises, by its name, whoever calls it."""
    name = method.name.lstrip("_")
    return name.startswith(("reset", "init", "build"))


def _reads_fans(action: Action) -> bool:
    return "fan_" in repr(action)


def _action_name(action: Action) -> ActionName:
    if isinstance(action, Keep):
        return "keep"
    return "param" if isinstance(action, Param) else "sample"


def _reference(rule: object) -> RuleRef | None:
    from pyroify.spec.model import Rule

    return RuleRef(rule.index, rule.match, rule.line) if isinstance(rule, Rule) else None
