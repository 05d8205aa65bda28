"""Parameters a class makes itself: declared where they are made if that is safe, or at the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pyroify.code.statements import Declared, Statement, guarded
from pyroify.decide.redeclare import UNRULED, leave, redeclare
from pyroify.decide.replaceable import (
    becomes_buffer,
    is_assigned_directly,
    is_other_dtype,
    is_replaceable,
)
from pyroify.decide.sites import Sites, is_noncentered, measured, needs_first_value
from pyroify.program.summary import OwnParameter, always_assigned
from pyroify.spec.match import Decision
from pyroify.spec.model import Keep, Sample
from pyroify.spec.render import NOISE, Place, standard_noise
from pyroify.syntax.values import Declared as There


@dataclass
class OwnParameters:
    """Declarations of the parameters that one method makes.

    ``in_place`` has the declaration for each call that makes a parameter, ``buffers`` the frozen
    ones that stay, ``statements`` what is declared at the end.
    """

    sites: Sites
    in_place: dict[str, tuple[Declared, ...]] = field(default_factory=dict)
    buffers: list[OwnParameter] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def declare(self, parameter: OwnParameter) -> None:
        """Decide a parameter, and write its declaration."""
        if parameter.name in self.sites.tied:
            return
        if self._is_spare_noise(parameter):
            return
        decision = self._decide(parameter)
        if parameter.declared is not None:
            self._declare_anew(parameter, parameter.declared, decision)
        elif self._is_left(parameter, decision):
            self.statements += leave(self.sites, parameter.name, decision, "")
        elif isinstance(decision.action, Keep):
            self._keep(parameter, decision)
        elif self._is_replaceable(parameter, decision):
            self._declare_in_place(parameter, decision)
        else:
            self._declare_last(parameter, decision)

    def _is_replaceable(self, parameter: OwnParameter, decision: Decision) -> bool:
        """Whether it is declared where it is made; one that is declared at the end stays there."""
        present, name = self.sites.present, parameter.name
        stays = name in present and f"{name}{NOISE}" not in present
        # That it is frozen decides which rule holds: the next run has to see it too.
        is_told = parameter.frozen is True and decision.rule != self.sites.consult(name).rule
        if is_noncentered(decision.action) or stays or is_told:
            return False
        return is_replaceable(parameter, self.sites.summary, self.sites.names.touched)

    def _decide(self, parameter: OwnParameter) -> Decision:
        """What becomes of a parameter; the noise of a prior that is not centred follows that."""
        line, frozen = parameter.assignments[0].line, parameter.frozen is True
        if parameter.name.endswith(NOISE) and (noise := self._noise_decision(parameter)):
            return noise
        return self.sites.decide_own(parameter.name, line, frozen)

    def _is_left(self, parameter: OwnParameter, decision: Decision) -> bool:
        """Whether it is declared at the end already, and no rule is about it any more."""
        if decision.rule is not None or not isinstance(decision.action, Keep):
            return False
        is_ignored = parameter.assignments[0].line in self.sites.summary.ignored_lines
        return parameter.name in self.sites.present and not is_ignored

    def _keep(self, parameter: OwnParameter, decision: Decision) -> None:
        self._record(parameter, decision, None, parameter.made[0].shape if parameter.made else None)
        if becomes_buffer(parameter, self.sites.summary) and decision.spared != "own":
            self.buffers.append(parameter)

    def _noise_decision(self, noise: OwnParameter) -> Decision | None:
        """What becomes of the noise, if it is that of a prior which is not centred."""
        name = noise.name.removesuffix(NOISE)
        decision = self.sites.consult(name)
        if self.sites.summary.by_hand.has(noise.name):
            return None
        if self.sites.summary.declared(name) is None or not is_noncentered(decision.action):
            return None
        assert isinstance(decision.action, Sample)
        return replace(decision, action=standard_noise(decision.action))

    def _is_spare_noise(self, noise: OwnParameter) -> bool:
        """Whether it is the noise of a declaration which the spec does not want, or left alone."""
        name, declared = noise.name.removesuffix(NOISE), noise.declared
        if name == noise.name or declared is None or self.sites.summary.declared(name) is None:
            return False
        base, there = self.sites.consult(name), noise.assignments[0]
        if is_noncentered(base.action):
            return False
        stays = isinstance(base.action, Keep) or needs_first_value(base.action)
        if base.rule is not None and not stays:
            message = f"self.{noise.name} is of a prior that {self.sites.rule_name(base)} replaces"
            help = "delete it if nothing else reads it"
            self.sites.report(there.line, there.column, "PYR067", message, help)
        is_own = noise.name in self.sites.summary.by_hand.sites
        decision = replace(UNRULED, spared="own") if is_own else UNRULED
        self.sites.record(
            noise.name, decision, declared.value, there.line, there.column, there=declared.text
        )
        return True

    def _declare_anew(self, parameter: OwnParameter, declared: There, decision: Decision) -> None:
        """Write the declaration that is there already as the spec now has it."""
        name = parameter.name
        noise = self.sites.summary.declared(f"{name}{NOISE}")
        shape = declared.shape if noise is None else noise.shape
        place = Place(target=f"self.{name}", owner="self", shape=shape)
        there = parameter.assignments[0]
        beside = redeclare(self.sites, there, declared, decision, place)
        if noise is None:
            self.statements += beside

    def _declare_in_place(self, parameter: OwnParameter, decision: Decision) -> None:
        rendered = (
            self._render(
                parameter,
                decision,
                Place(
                    target=f"self.{parameter.name}",
                    owner="self",
                    shape=made.shape,
                    initial=made.initial or None,
                ),
            )
            for made in parameter.made
        )
        values = tuple(value for value in rendered if value is not None)
        if len(values) == len(parameter.made):
            self.in_place[parameter.name] = values
            self._record(parameter, decision, values[0], parameter.made[0].shape)

    def _declare_last(self, parameter: OwnParameter, decision: Decision) -> None:
        first = parameter.assignments[0]
        made = self.sites.declarations(
            decision.action, self._place_at_end(parameter), first.line, first.column
        )
        if not made:
            return
        target = f"self.{parameter.name}"
        may_be_frozen = self.sites.asks_for_frozen(parameter.name, decision)
        trained = f"{target}.requires_grad" if may_be_frozen else ""
        guards = list(filter(None, [self._is_there(parameter), trained]))
        self.statements += guarded(" and ".join(guards), made)
        self._record(parameter, decision, made[-1].value)

    def _is_there(self, parameter: OwnParameter) -> str:
        """A test of a parameter that may be None, or missing, or no parameter; empty if it is."""
        name, found = parameter.name, f"self.{parameter.name}"
        if not always_assigned(parameter.assignments):
            found = f'getattr(self, "{name}", None)'
        if parameter.may_be_other or name in self.sites.summary.buffers:
            return self.sites.is_parameter(found)
        return f"{found} is not None" if parameter.optional else ""

    def _place_at_end(self, parameter: OwnParameter) -> Place:
        """Where a parameter is once it is made: its shape is read from it, if need be."""
        target = f"self.{parameter.name}"
        shapes = [made.shape for made in parameter.made]
        ranks = {None if shape is None else len(shape) for shape in shapes}
        keeps_dtype = any(is_other_dtype(made.dtype) for made in parameter.made)
        if parameter.may_be_handed_in or len(ranks) != 1 or None in ranks:
            return replace(measured(target, "self"), keeps_dtype=keeps_dtype)
        return Place(
            target=target,
            owner="self",
            shape=self._steady_shape(parameter),
            ndim=ranks.pop(),
            initial=f"{target}.detach()",
            keeps_dtype=keeps_dtype,
        )

    def _steady_shape(self, parameter: OwnParameter) -> tuple[str, ...] | None:
        """Its shape, where the sizes still mean the same at the end of the method."""
        if parameter.method is not self.sites.method or not is_assigned_directly(parameter):
            return None
        if len(parameter.made) != 1 or not parameter.made[0].stable:
            return None
        shape = parameter.made[0].shape
        steady = shape is not None and all(map(self.sites.summary.is_steady, shape))
        return shape if steady else None

    def _render(self, parameter: OwnParameter, decision: Decision, place: Place) -> Declared | None:
        first = parameter.assignments[0]
        return self.sites.render(decision.action, place, first.line, first.column)

    def _record(
        self,
        parameter: OwnParameter,
        decision: Decision,
        value: Declared | None,
        shape: tuple[str, ...] | None = None,
    ) -> None:
        first = parameter.assignments[0]
        self.sites.record(parameter.name, decision, value, first.line, first.column, shape=shape)
