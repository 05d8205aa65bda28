"""Sequential, ModuleList and ModuleDict."""

from __future__ import annotations

from benchmarks.fuzz.draft import ClassDraft


def _fill(c: ClassDraft, text: str) -> str:
    """``L`` stands for a layer, each time another one, ``R`` for one that may be stateless."""
    parts = text.split("LAYER")
    filled = parts[0] + "".join(c.layer() + part for part in parts[1:])
    parts = filled.split("ANY")
    return parts[0] + "".join(c.layer(stateless=True) + part for part in parts[1:])


def _depth(c: ClassDraft) -> str:
    return c.one_of("2", "3", c.argument("depth", "2", "3", "1"))


def sequential(c: ClassDraft) -> None:
    name, depth = c.new_name("net", "body", "layers"), _depth(c)
    me = f"self.{name}"
    text = c.one_of(
        f"{me} = nn.Sequential(LAYER, ANY)",
        f"{me} = nn.Sequential(\n    LAYER,  # first\n    ANY,\n    LAYER,\n)",
        f"{me} = nn.Sequential(*[LAYER, ANY])",
        f"{me} = nn.Sequential(*[LAYER for _ in range({depth})])",
        f"{me} = nn.Sequential(*(LAYER for _ in range({depth})))",
        f"{me} = nn.Sequential(LAYER, *[LAYER for _ in range({depth})], ANY)",
        f"{me} = nn.Sequential(collections.OrderedDict([('a', LAYER), ('b', ANY)]))",
        f"{me} = nn.Sequential(collections.OrderedDict(a=LAYER, b=ANY))",
        f"{me} = nn.Sequential(collections.OrderedDict({{'a': LAYER, 'b': ANY}}))",
        f"steps = collections.OrderedDict()\nsteps['a'] = LAYER\nsteps['b'] = ANY\n"
        f"{me} = nn.Sequential(steps)",
        f"layers = []\nfor _ in range({depth}):\n    layers.append(LAYER)\n    layers.append(ANY)\n"
        f"{me} = nn.Sequential(*layers)",
        f"layers = [LAYER]\nfor _ in range({depth}):\n    layers += [LAYER, ANY]\n"
        f"{me} = nn.Sequential(*layers)",
        f"layers = [LAYER]\nlayers.extend([ANY, LAYER])\n{me} = nn.Sequential(*layers)",
        f"layers = [LAYER]\nif d > 2:\n    layers.append(LAYER)\n{me} = nn.Sequential(*layers)",
        f"layers = [LAYER] + [ANY]\n{me} = nn.Sequential(*layers)",
        f"layers = [LAYER, LAYER]\nlayers.insert(0, ANY)\nlayers.pop()\n"
        f"{me} = nn.Sequential(*layers)",
        f"{me} = nn.Sequential()\n{me}.add_module('a', LAYER)\n{me}.add_module('b', ANY)",
        f"{me} = nn.Sequential()\nfor i in range({depth}):\n    {me}.add_module(f'l{{i}}', LAYER)",
        f"{me} = nn.Sequential()\nfor i in range({depth}):\n    {me}.append(LAYER)",
        f"{me} = nn.Sequential(nn.ReLU())\n{me}.append(LAYER)\n{me}.append(ANY)",
        f"{me} = nn.Sequential(LAYER)\n{me}.append(ANY)",
        f"{me} = nn.Sequential(LAYER).append(ANY)",
        f"{me} = nn.Sequential(LAYER)\n{me}.extend([ANY, LAYER])",
        f"{me} = nn.Sequential(LAYER)\n{me}.extend(nn.Sequential(ANY, LAYER))",
        f"{me} = nn.Sequential(LAYER)\n{me}.insert(0, LAYER)",
        f"{me} = nn.Sequential(LAYER, ANY, LAYER)\n{me}[0] = LAYER",
        f"{me} = nn.Sequential(LAYER, ANY)\n{me}[-1] = LAYER",
        f"{me} = nn.Sequential(LAYER, ANY, LAYER)\ndel {me}[0]",
        f"{me} = nn.Sequential(LAYER, ANY, LAYER)\ndel {me}[-1]",
        f"{me} = nn.Sequential(LAYER, ANY, LAYER)\n{me}.pop(0)",
        f"{me} = nn.Sequential(LAYER, ANY) + nn.Sequential(LAYER)",
        f"{me} = nn.Sequential(LAYER)\n{me} += nn.Sequential(ANY)",
        f"{me} = nn.Sequential(LAYER, ANY, LAYER)[:2]",
        f"{me} = nn.Sequential(LAYER) * 2",
        f"{me} = nn.Sequential(nn.Sequential(LAYER, ANY), nn.Sequential(LAYER))",
        f"net = nn.Sequential(LAYER)\nnet.append(LAYER)\n{me} = net",
        f"{me} = nn.Sequential(*list(nn.Sequential(LAYER, LAYER, nn.Tanh()).children())[:-1])",
        f"{me} = nn.Sequential()\nsetattr({me}, 'a', LAYER)\n{me}.b = ANY",
        f"first = LAYER\n{me} = nn.Sequential(first, ANY, first)",
    )
    c.add(_fill(c, text))
    c.attributes.append(("layers", name))
    c.step(
        c.one_of(
            f"x = {me}(x)",
            f"x = {me}(x)",
            f"for m in {me}:\n    x = m(x)",
            f"for m in {me}.children():\n    x = m(x)",
            f"for i in range(len({me})):\n    x = {me}[i](x)",
        )
    )


def module_list(c: ClassDraft) -> None:
    name, depth = c.new_name("blocks", "layers", "stages"), _depth(c)
    me = f"self.{name}"
    text = c.one_of(
        f"{me} = nn.ModuleList([LAYER, ANY])",
        f"{me} = nn.ModuleList((LAYER, ANY))",
        f"{me} = nn.ModuleList([LAYER for _ in range({depth})])",
        f"{me} = nn.ModuleList(LAYER for _ in range({depth}))",
        f"{me} = nn.ModuleList([LAYER if i % 2 else LAYER for i in range({depth})])",
        f"{me} = nn.ModuleList([LAYER] + [LAYER for _ in range({depth})])",
        f"{me} = nn.ModuleList([LAYER] * 2)",
        f"{me} = nn.ModuleList()\nfor _ in range({depth}):\n    {me}.append(LAYER)",
        f"{me} = nn.ModuleList([])\nfor _ in range({depth}):\n    {me}.append(LAYER)",
        f"{me} = nn.ModuleList()\n{me}.extend([LAYER, ANY])",
        f"{me} = nn.ModuleList()\n{me} += [LAYER, ANY]",
        f"{me} = nn.ModuleList([LAYER])\n{me}.extend(LAYER for _ in range({depth}))",
        f"{me} = nn.ModuleList([LAYER])\n{me}.insert(0, LAYER)",
        f"{me} = nn.ModuleList([LAYER, LAYER])\n{me}[0] = LAYER",
        f"{me} = nn.ModuleList([LAYER for _ in range({depth})])\n{me}[-1] = LAYER",
        f"{me} = nn.ModuleList([LAYER, LAYER, LAYER])\ndel {me}[1]",
        f"{me} = nn.ModuleList([LAYER, LAYER, LAYER])\n{me}.pop(0)",
        f"{me} = nn.ModuleList([LAYER]) + nn.ModuleList([LAYER])",
        f"{me} = nn.ModuleList([LAYER, LAYER, LAYER])[1:]",
        f"{me} = nn.ModuleList([nn.ModuleList([LAYER, ANY]) for _ in range({depth})])",
        f"{me} = nn.ModuleList([nn.Sequential(LAYER, ANY) for _ in range({depth})])",
        f"layers = []\nfor i in range({depth}):\n    layers.append(LAYER)\n{me} = nn.ModuleList(layers)",
        f"layers = nn.ModuleList()\nfor i in range({depth}):\n    layers.append(LAYER)\n{me} = layers",
        f"layer = LAYER\n{me} = nn.ModuleList([copy.deepcopy(layer) for _ in range({depth})])",
        f"{me} = nn.ModuleList([LAYER])\n{me}.add_module('1', LAYER)",
        f"{me} = nn.ModuleList(map(lambda _: LAYER, range({depth})))",
        f"{me} = nn.ModuleList([nn.Linear(a, b) for a, b in zip([d, d, d], [d, d])])",
        f"{me} = nn.ModuleList([nn.Identity()])\n{me}.append(LAYER)",
        f"{me} = nn.ModuleList()\nif d > 2:\n    {me}.append(LAYER)\nelse:\n    {me}.append(ANY)",
        f"{me} = nn.ModuleList()\nwhile len({me}) < {depth}:\n    {me}.append(LAYER)",
        f"{me} = nn.ModuleList([LAYER for _ in range(2)])\nfor m in {me}:\n    m.register_buffer('mask', torch.ones(1))",
    )
    nested = "nn.ModuleList([nn.ModuleList(" in text
    c.add(_fill(c, text))
    step = c.one_of(
        f"for m in {me}:\n    x = CALL",
        f"for i, m in enumerate({me}):\n    x = CALL",
        f"for m in reversed({me}):\n    x = CALL",
        f"for i in range(len({me})):\n    m = {me}[i]\n    x = CALL",
        f"for m in list({me}):\n    x = CALL",
        f"for m, _ in zip({me}, range(9)):\n    x = CALL",
        f"for m in {me}[:1]:\n    x = CALL",
        f"m = {me}[0]\nx = CALL",
    )
    c.step(step.replace("CALL", "m[1](m[0](x))" if nested else "torch.tanh(m(x))"))


def module_dict(c: ClassDraft) -> None:
    name = c.new_name("heads", "parts", "table")
    me = f"self.{name}"
    text = c.one_of(
        f"{me} = nn.ModuleDict({{'a': LAYER, 'b': ANY}})",
        f"{me} = nn.ModuleDict({{k: LAYER for k in ('a', 'b')}})",
        f"{me} = nn.ModuleDict([('a', LAYER), ('b', ANY)])",
        f"{me} = nn.ModuleDict([['a', LAYER], ['b', ANY]])",
        f"{me} = nn.ModuleDict(dict(a=LAYER, b=ANY))",
        f"{me} = nn.ModuleDict(zip(('a', 'b'), (LAYER, ANY)))",
        f"{me} = nn.ModuleDict([(k, LAYER) for k in 'ab'])",
        f"{me} = nn.ModuleDict()\n{me}['a'] = LAYER\n{me}['b'] = ANY",
        f"{me} = nn.ModuleDict()\nfor k in ('a', 'b'):\n    {me}[k] = LAYER",
        f"{me} = nn.ModuleDict({{'a': LAYER}})\n{me}.update({{'b': ANY}})",
        f"{me} = nn.ModuleDict({{'a': LAYER}})\n{me}.update([('b', ANY)])",
        f"{me} = nn.ModuleDict({{'a': LAYER, 'b': LAYER}})\n{me}['a'] = LAYER",
        f"{me} = nn.ModuleDict({{'a': LAYER, 'b': ANY, 'c': LAYER}})\ndel {me}['c']",
        f"{me} = nn.ModuleDict({{'a': LAYER, 'b': ANY, 'c': LAYER}})\n{me}.pop('c')",
        f"{me} = nn.ModuleDict(collections.OrderedDict(a=LAYER, b=ANY))",
        f"{me} = nn.ModuleDict({{'a': LAYER}} | {{'b': ANY}})",
        f"{me} = nn.ModuleDict({{**{{'a': LAYER}}, 'b': ANY}})",
        f"{me} = nn.ModuleDict({{'a': nn.ModuleDict({{'x': LAYER}})['x'], 'b': ANY}})",
        f"{me} = nn.ModuleDict()\n{me}.add_module('a', LAYER)\n{me}.add_module('b', ANY)",
        f"table = {{}}\nfor k in 'ab':\n    table[k] = LAYER\n{me} = nn.ModuleDict(table)",
    )
    c.add(_fill(c, text))
    c.step(
        c.one_of(
            f"x = {me}['b']({me}['a'](x))",
            f"for k in {me}:\n    x = {me}[k](x)",
            f"for k, m in {me}.items():\n    x = m(x)",
            f"for m in {me}.values():\n    x = m(x)",
            f"for k in sorted({me}.keys()):\n    x = {me}[k](x)",
        )
    )


def pairs(c: ClassDraft) -> None:
    one, other, depth = c.new_name("norms"), c.new_name("lins"), _depth(c)
    c.add(
        c.one_of(
            f"self.{one} = nn.ModuleList([nn.LayerNorm(d) for _ in range({depth})])\n"
            f"self.{other} = nn.ModuleList([{c.layer()} for _ in range({depth})])",
            f"self.{one} = nn.ModuleList()\nself.{other} = nn.ModuleList()\n"
            f"for _ in range({depth}):\n    self.{one}.append(nn.LayerNorm(d))\n"
            f"    self.{other}.append({c.layer()})",
        )
    )
    c.step(f"for norm, lin in zip(self.{one}, self.{other}):\n    x = torch.tanh(lin(norm(x)))")


def wrapped_in_place(c: ClassDraft) -> None:
    name = c.new_name("net", "body")
    c.add(
        _fill(
            c,
            c.one_of(
                f"self.{name} = nn.Sequential(LAYER)\n"
                f"self.{name} = nn.Sequential(self.{name}, LAYER)",
                f"self.{name} = nn.ModuleList([LAYER])\n"
                f"self.{name} = nn.Sequential(*self.{name}, ANY)",
                f"self.{name} = nn.Sequential(LAYER, ANY)\n"
                f"self.{name} = nn.Sequential(*list(self.{name})[:1])",
                f"self.{name} = nn.Sequential(LAYER, ANY)\n"
                f"for m in self.{name}:\n    m.flag = True",
            ),
        )
    )
    c.step(f"x = self.{name}(x)")
