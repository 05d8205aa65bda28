"""What is done to parameters after they are there: initialised, frozen, tied."""

from __future__ import annotations

from benchmarks.fuzz.draft import ClassDraft


def _linear(c: ClassDraft) -> str:
    found = [name for kind, name in c.attributes if kind == "linear"]
    if found and c.rng.random() < 0.6:
        return c.rng.choice(found)
    name = c.new_name("fc", "proj")
    c.add(f"self.{name} = nn.Linear(d, d)")
    c.attributes.append(("linear", name))
    c.step(f"x = self.{name}(x)")
    return name


def _own(c: ClassDraft) -> tuple[str, str]:
    found = [(kind, name) for kind, name in c.attributes if kind in ("vector", "matrix")]
    if found and c.rng.random() < 0.5:
        return c.rng.choice(found)
    name = c.new_name("weight", "w")
    c.add(f"self.{name} = nn.Parameter(torch.empty(d, d).fill_(0.1))")
    c.step(f"x = x @ self.{name}")
    c.attributes.append(("matrix", name))
    return "matrix", name


def inits_own(c: ClassDraft) -> None:
    _, name = _own(c)
    w = f"self.{name}"
    c.add(
        c.one_of(
            f"if {w} is not None:\n    nn.init.normal_({w}, std=0.1)",
            f"if {w} is not None:\n    {w}.data.fill_(0.2)",
            f"if {w} is not None:\n    with torch.no_grad():\n        {w}.mul_(0.5)",
            f"if {w} is not None:\n    {w}.data = torch.zeros_like({w}.data)",
            f"if {w} is not None:\n    {w}.data[0] = 0.5",
            f"if {w} is not None:\n    torch.nn.init.constant_({w}, 0.3)",
            f"if {w} is not None:\n    with torch.no_grad():\n        {w}.copy_(torch.ones({w}.shape))",
            f"if {w} is not None:\n    {w}.detach().uniform_(0.1, 0.2)",
        )
    )


def inits_by_function(c: ClassDraft) -> None:
    _, name = _own(c)
    helper = c.helper(
        "glorot",
        c.one_of(
            "def NAME(tensor):\n    if tensor is not None:\n        tensor.data.uniform_(-0.1, 0.1)",
            "def NAME(w):\n    if w is not None:\n        nn.init.normal_(w, 0.0, 0.1)\n    return w",
        ),
    )
    c.add(f"{helper}(self.{name})")


def reset_parameters(c: ClassDraft) -> None:
    _, name = _own(c)
    if "reset_parameters" in c.taken:
        return
    c.taken.add("reset_parameters")
    c.add("self.reset_parameters()")
    c.method(
        "def reset_parameters(self):\n"
        f"    if self.{name} is not None:\n        nn.init.normal_(self.{name}, std=0.1)"
    )


def inits_layer(c: ClassDraft) -> None:
    name = f"self.{_linear(c)}"
    c.add(
        c.one_of(
            f"nn.init.zeros_({name}.weight)",
            f"nn.init.xavier_uniform_({name}.weight)\nnn.init.constant_({name}.bias, 0.1)",
            f"{name}.weight.data.normal_(0, 0.1)\n{name}.bias.data.zero_()",
            f"with torch.no_grad():\n    {name}.weight.fill_(0.2)",
            f"{name}.reset_parameters()",
            f"for p in {name}.parameters():\n    nn.init.normal_(p, std=0.1)",
            f"for n, p in {name}.named_parameters():\n    if 'bias' in n:\n        nn.init.zeros_(p)",
            f"{name}.weight.data = torch.eye(d)",
            f"{name}.weight = nn.Parameter(torch.eye(d))",
            f"{name}.bias = None",
            f"{name}.bias = nn.Parameter(torch.ones(d))",
            f"{name}.load_state_dict(nn.Linear(d, d).state_dict())",
            f"{name}.weight.data.copy_(torch.eye(d))",
        )
    )


def applies(c: ClassDraft) -> None:
    helper = c.helper(
        "init_weights",
        c.one_of(
            "def NAME(m):\n    if isinstance(m, nn.Linear):\n        nn.init.normal_(m.weight, std=0.1)",
            "def NAME(m):\n    if type(m) == nn.Linear:\n        nn.init.zeros_(m.weight)",
            "def NAME(m):\n    if m.__class__.__name__.find('Linear') != -1:\n"
            "        m.weight.data.normal_(0, 0.1)",
            "def NAME(m):\n    if hasattr(m, 'weight') and getattr(m, 'weight') is not None:\n"
            "        if m.weight.dim() > 1:\n            nn.init.xavier_uniform_(m.weight)",
            "def NAME(m):\n    for p in m.parameters(recurse=False):\n        nn.init.normal_(p, std=0.1)",
        ),
    )
    c.add(f"self.apply({helper})")


def walks(c: ClassDraft) -> None:
    c.add(
        c.one_of(
            "for m in self.modules():\n    if isinstance(m, nn.Linear):\n"
            "        nn.init.normal_(m.weight, std=0.1)",
            "for p in self.parameters():\n    if p.dim() > 1:\n        nn.init.xavier_uniform_(p)",
            "for n, p in self.named_parameters():\n    p.data.mul_(0.5)",
            "self.count = sum(p.numel() for p in self.parameters())",
            "for m in self.children():\n    m.tag = 'x'",
            "with torch.no_grad():\n    for p in self.parameters():\n        p.mul_(0.5)",
        )
    )


def freezes(c: ClassDraft) -> None:
    name = f"self.{_linear(c)}"
    flag = c.flag() if c.rng.random() < 0.4 else ""
    text = c.one_of(
        f"{name}.weight.requires_grad = False",
        f"{name}.weight.requires_grad_(False)",
        f"{name}.requires_grad_(False)",
        f"for p in {name}.parameters():\n    p.requires_grad = False",
        f"for p in {name}.parameters():\n    p.requires_grad_(False)",
        f"for n, p in {name}.named_parameters():\n    if n == 'bias':\n        p.requires_grad = False",
        f"{name} = {name}.requires_grad_(False)",
        f"[p.requires_grad_(False) for p in {name}.parameters()]",
        f"setattr({name}.weight, 'requires_grad', False)",
    )
    if flag:
        text = f"if {flag}:\n    " + text.replace("\n", "\n    ")
    c.add(text)


def freezes_by_method(c: ClassDraft) -> None:
    name, method = f"self.{_linear(c)}", c.new_name("freeze", "_freeze")
    c.add(f"self.{method}()")
    c.method(
        f"def {method}(self):\n"
        + c.one_of(
            f"    {name}.weight.requires_grad = False",
            f"    for p in {name}.parameters():\n        p.requires_grad = False",
        )
    )


def freezes_by_function(c: ClassDraft) -> None:
    name = f"self.{_linear(c)}"
    helper = c.helper(
        "freeze",
        "def NAME(module):\n    for p in module.parameters():\n        p.requires_grad = False\n    return module",
    )
    c.add(c.one_of(f"{helper}({name})", f"{name} = {helper}({name})"))


def freezes_all(c: ClassDraft) -> None:
    c.add(
        c.one_of(
            "for p in self.parameters():\n    p.requires_grad = False",
            "self.requires_grad_(False)",
        )
    )


def ties(c: ClassDraft) -> None:
    one = _linear(c)
    other = c.new_name("head", "out")
    c.add(f"self.{other} = nn.Linear(d, d)")
    c.step(f"x = self.{other}(x)")
    c.add(
        c.one_of(
            f"self.{other}.weight = self.{one}.weight",
            f"self.{one}.weight = self.{other}.weight",
            f"self.{other}.weight = self.{one}.weight\nself.{other}.bias = self.{one}.bias",
            f"for n in ('weight', 'bias'):\n    setattr(self.{other}, n, getattr(self.{one}, n))",
            f"w = self.{one}.weight\nself.{other}.weight = w",
        )
    )


def ties_across(c: ClassDraft) -> None:
    found = [
        (cls, name)
        for cls in c.project.classes
        if cls.is_block and not cls.is_abstract
        for kind, name in cls.attributes
        if kind == "linear"
    ]
    if not found:
        return ties(c)
    cls, inner = c.rng.choice(found)
    one, other = c.new_name("enc"), c.new_name("head")
    c.add(
        f"self.{one} = {c.project.refer(c, cls)}(d)",
        c.one_of(
            f"self.{other} = nn.Linear(d, d)\nself.{other}.weight = self.{one}.{inner}.weight",
            f"self.{other} = nn.Linear(d, d)\nself.{one}.{inner}.weight = self.{other}.weight",
            f"self.{other} = nn.Linear(d, d, bias=False)\n"
            f"self.{other}.weight = self.{one}.{inner}.weight",
        ),
    )
    c.step(f"x = self.{other}(self.{one}(x))")
    return None


def exposes(c: ClassDraft) -> None:
    name = _linear(c)
    other = c.new_name("w", "shared")
    c.add(
        c.one_of(
            f"self.{other} = self.{name}.weight",
            f"self.register_parameter('{other}', self.{name}.weight)",
        )
    )
    c.step(f"x = x @ self.{other}")


def touches_block(c: ClassDraft) -> None:
    found = [
        (cls, name)
        for cls in c.project.classes
        if cls.is_block and not cls.is_abstract
        for kind, name in cls.attributes
        if kind == "linear"
    ]
    if not found:
        return inits_layer(c)
    cls, inner = c.rng.choice(found)
    name = c.new_name("part", "stem")
    path = f"self.{name}.{inner}"
    c.add(
        f"self.{name} = {c.project.refer(c, cls)}(d)",
        c.one_of(
            f"nn.init.zeros_({path}.weight)",
            f"{path}.weight.requires_grad = False",
            f"self.{name}.requires_grad_(False)",
            f"for p in self.{name}.parameters():\n    p.requires_grad = False",
            f"{path} = nn.Linear(d, d, bias=False)",
            f"{path} = nn.Identity()",
            f"{path}.weight = nn.Parameter(torch.eye(d))",
            f"self.{name}.extra = nn.Linear(d, d)",
            f"self.{name}.extra = nn.Parameter(torch.ones(d))",
        ),
    )
    c.step(f"x = self.{name}(x)")
    return None


def reads_shape(c: ClassDraft) -> None:
    _, name = _own(c)
    c.add(
        c.one_of(
            f"self.width = self.{name}.shape[-1] if self.{name} is not None else d",
            f"self.rank = 0 if self.{name} is None else self.{name}.dim()",
        )
    )


def property_of(c: ClassDraft) -> None:
    kind, name = _own(c)
    other = c.new_name("effective", "value")
    c.method(f"@property\ndef {other}(self):\n    return torch.sigmoid(self.{name})")
    use = f"x @ self.{other}" if kind == "matrix" else f"x + self.{other}"
    c.step(f"if self.{name} is not None:\n    x = {use}")


def public_method(c: ClassDraft) -> None:
    name = _linear(c)
    other = c.new_name("encode", "embed")
    c.method(f"def {other}(self, x):\n    return torch.relu(self.{name}(x))")


def counts(c: ClassDraft) -> None:
    """Attributes whose names sound like layers and are numbers."""
    c.add(
        c.one_of(
            "self.num_layers = d",
            "self.n_head = d // 2",
            "self.layer = 'relu'",
            "self.norm = False",
            "self.proj_dim = d",
            "self.weight_decay = 0.1",
            "self.blocks_n = [d, d]",
            "self.act = torch.tanh",
            "self.act = nn.ReLU()",
            "self.drop = nn.Dropout(0.1)",
        )
    )
