"""ParameterList and ParameterDict."""

from __future__ import annotations

from benchmarks.fuzz.draft import ClassDraft

P = "nn.Parameter(torch.randn(d))"
Q = "nn.Parameter(torch.ones(d))"


def lists(c: ClassDraft) -> None:
    name = c.new_name("ws", "scales", "params")
    depth = c.one_of("2", "3", c.argument("depth", "2", "3"))
    self_name = f"self.{name}"
    c.add(
        c.one_of(
            f"{self_name} = nn.ParameterList([{P}, {Q}])",
            f"{self_name} = nn.ParameterList([{P} for _ in range({depth})])",
            f"{self_name} = nn.ParameterList({P} for _ in range({depth}))",
            f"{self_name} = nn.ParameterList()\nfor _ in range({depth}):\n"
            f"    {self_name}.append({P})",
            f"{self_name} = nn.ParameterList()\n{self_name}.extend([{P}, {Q}])",
            f"{self_name} = nn.ParameterList([{P}])\n{self_name} += [{Q}]",
            f"{self_name} = nn.ParameterList([{P}, {P}])\n{self_name}[0] = {Q}",
            f"{self_name} = nn.ParameterList([torch.randn(d), torch.ones(d)])",
            f"ws = []\nfor i in range({depth}):\n    ws.append({P})\n"
            f"{self_name} = nn.ParameterList(ws)",
            f"ws = [{P}]\nws = ws + [{Q}]\n{self_name} = nn.ParameterList(ws)",
            f"{self_name} = nn.ParameterList(map(nn.Parameter, [torch.ones(d), torch.ones(d)]))",
            f"{self_name} = nn.ParameterList([{P}, {P}])\n"
            f"for w in {self_name}:\n    nn.init.normal_(w)",
            f"{self_name} = nn.ParameterList([{P}, {P}])\n{self_name}[1].requires_grad = False",
            f"{self_name} = nn.ParameterList([nn.Parameter(torch.randn(d), requires_grad=i > 0)"
            " for i in range(2)])",
        )
    )
    c.step(
        c.one_of(
            f"for w in {self_name}:\n    x = x * w",
            f"for i in range(len({self_name})):\n    x = x + {self_name}[i]",
            f"x = x + sum({self_name})",
            f"x = x + torch.stack(list({self_name})).sum(0)",
            f"for i, w in enumerate({self_name}):\n    x = x + i * w",
            f"x = x * {self_name}[0]\nx = x + {self_name}[-1]",
        )
    )


def dicts(c: ClassDraft) -> None:
    name = c.new_name("ws", "table", "params")
    self_name = f"self.{name}"
    c.add(
        c.one_of(
            f"{self_name} = nn.ParameterDict({{'a': {P}, 'b': {Q}}})",
            f"{self_name} = nn.ParameterDict({{k: {P} for k in ('a', 'b')}})",
            f"{self_name} = nn.ParameterDict()\nfor k in 'ab':\n    {self_name}[k] = {P}",
            f"{self_name} = nn.ParameterDict()\n{self_name}['a'] = {P}\n{self_name}['b'] = {Q}",
            f"{self_name} = nn.ParameterDict()\n{self_name}.update({{'a': {P}, 'b': {Q}}})",
            f"{self_name} = nn.ParameterDict([('a', {P}), ('b', {Q})])",
            f"{self_name} = nn.ParameterDict(dict(a={P}, b={Q}).items())",
            f"{self_name} = nn.ParameterDict(dict(a={P}, b={Q}))",
            f"{self_name} = nn.ParameterDict({{'a': torch.randn(d), 'b': torch.ones(d)}})",
            f"{self_name} = nn.ParameterDict(zip('ab', [{P}, {Q}]))",
        )
    )
    c.step(
        c.one_of(
            f"x = x * {self_name}['a'] + {self_name}['b']",
            f"for k in {self_name}:\n    x = x + {self_name}[k]",
            f"for k, w in {self_name}.items():\n    x = x + w",
            f"for w in {self_name}.values():\n    x = x + w",
            f"x = x * {self_name}.a + {self_name}.b",
        )
    )


def nested(c: ClassDraft) -> None:
    name = c.new_name("groups", "nested")
    self_name = f"self.{name}"
    c.add(
        c.one_of(
            f"{self_name} = nn.ModuleList([nn.ParameterList([{P} for _ in range(2)])"
            " for _ in range(2)])",
            f"{self_name} = nn.ModuleList([nn.ParameterList([{P}]), nn.ParameterList([{Q}])])",
            f"{self_name} = nn.ModuleList()\nfor _ in range(2):\n"
            f"    {self_name}.append(nn.ParameterList([{P}]))",
            f"{self_name} = nn.ModuleList()\nfor _ in range(2):\n"
            f"    inner = nn.ParameterList()\n    inner.append({P})\n    {self_name}.append(inner)",
        )
    )
    c.step(f"for group in {self_name}:\n    for w in group:\n        x = x * w")


def nested_dict(c: ClassDraft) -> None:
    name = c.new_name("groups", "nested")
    c.add(
        c.one_of(
            f"self.{name} = nn.ModuleDict({{'a': nn.ParameterDict({{'w': {P}}})}})",
            f"self.{name} = nn.ModuleDict({{'a': nn.ParameterDict()}})\nself.{name}['a']['w'] = {P}",
        )
    )
    c.step(f"x = x + self.{name}['a']['w']")
