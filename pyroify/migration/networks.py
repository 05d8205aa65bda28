"""Networks that a script makes outside of classes: PyroModules with priors, where they are made.

That is done where the source shows every layer, the network is the only one of its file, and
nothing is done with it but calling it: training it by its ``parameters()`` would train nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pyroify.checks.networks import CODE, Network, Networks
from pyroify.code.names import FileNames
from pyroify.code.statements import Draw
from pyroify.code.write import write_draw
from pyroify.dispatch import needs
from pyroify.edits import kinds
from pyroify.migration.migrate import Migration
from pyroify.program.faults import looking_at
from pyroify.program.index import Index
from pyroify.program.placements import AccessPath, Single, place, presence
from pyroify.program.resolve import Resolver
from pyroify.program.values import Scope
from pyroify.spec.match import SiteKey, decide
from pyroify.spec.model import Keep, Sample, Spec
from pyroify.spec.render import Place, RenderError, render_sample
from pyroify.syntax.facts import BoundNetwork, File
from pyroify.syntax.traits import anywhere
from pyroify.syntax.values import Call


class _Left(Exception):
    """Why a network stays as it is, where there is more to say than that no class makes it."""


@needs(*anywhere((File, Call)))
def convert_networks(
    index: Index, spec: Spec, selected: frozenset[str], limit: int | None
) -> Iterator[Migration]:
    """Edits for the networks outside of classes that can be converted; findings for the others."""
    found: dict[str, list[Network]] = {}
    for network in Networks(index, spec, selected).found():
        found.setdefault(network.code.file.path, []).append(network)
    for path, networks in found.items():
        file = networks[0].code.file
        with looking_at(path):
            yield _Converter(index, spec, limit or file.line_length, file, networks).migration()


@dataclass
class _Converter:
    index: Index
    spec: Spec
    limit: int
    file: File
    networks: Sequence[Network]
    names: FileNames = field(init=False)

    def __post_init__(self) -> None:
        self.names = FileNames(self.file)

    def migration(self) -> Migration:
        """The edits of the file."""
        edits, findings = [], []
        for network in self.networks:
            try:
                edits.append(self._converted(network))
            except _Left as reason:
                help = "; ".join(filter(None, (str(reason), network.finding.help)))
                findings.append(replace(network.finding, help=help))
        names = frozenset(self.names.used) if edits else frozenset()
        return Migration(self.file, tuple(edits), names, tuple(findings))

    def _is_left(self, line: int) -> bool:
        """Whether a comment takes the network out that is made there."""
        return any(comment.covers(line, CODE) for comment in self.file.suppressed)

    def _converted(self, network: Network) -> kinds.Statements:
        call = network.call
        bound = {item.call: item for item in self.file.networks}.get(call.place)
        if bound is None or network.is_shared or self._is_left(call.line):
            raise _Left
        if bound.problem:
            raise _Left(bound.problem)
        if len(self.networks) > 1:
            raise _Left("the file makes several, whose sites would have the same names")
        if self.file.path in self.index.loaded.imported:
            raise _Left("another file may import it")
        if any("guide" in function.name for function in self.file.functions):
            raise _Left("a guide written by hand would lack its sites")
        statements = list(self._declarations(call, bound))
        self.names.use("to_pyro_module_", "PyroSample")
        statements.insert(0, f"{self.names.local('to_pyro_module_')}({bound.name})")
        line, column = bound.made
        return kinds.Statements(line, column, tuple(statements), True, column, self.limit)

    def _declarations(self, call: Call, network: BoundNetwork) -> Iterator[str]:
        """A declaration for each parameter that the spec makes random."""
        node = Resolver(self.index, {}).resolve(call, Scope(self.file.path))
        for found in place(node, AccessPath(network.name, "", call.line)):
            if not isinstance(found, Single) or found.where.loops or found.where.guards:
                raise _Left
            layer = found.instance.layer
            for parameter in layer.parameters:
                there = presence(parameter, found.instance.call)
                if layer.kind != "layer" or there is None:
                    raise _Left
                path = ".".join(filter(None, (found.where.path, parameter.name)))
                key = SiteKey(self.file.module, network.name, path, parameter.layer)
                action = decide(self.spec, key).action
                if there and isinstance(action, Sample):
                    yield self._declaration(action, found.where.target, parameter.name)
                elif there and not isinstance(action, Keep):
                    raise _Left

    def _declaration(self, action: Sample, owner: str, name: str) -> str:
        spelling, target = self.names.spelling(), f"{owner}.{name}"
        try:
            prior = render_sample(action, Place(target, owner), spelling).prior
        except RenderError as error:
            raise _Left from error
        if not isinstance(prior, Draw):
            raise _Left
        source = write_draw(prior, spelling, "")
        self.names.use(*spelling.used)
        return f"{target} = {self.names.local('PyroSample')}({source})"
