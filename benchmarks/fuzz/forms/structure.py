"""How the class itself is written: bases, constructors, decorators, forward."""

from __future__ import annotations

from benchmarks.fuzz.draft import ClassDraft


def legacy_super(c: ClassDraft) -> None:
    if c.super_call == "super().__init__()":
        c.super_call = f"super({c.name}, self).__init__()"


def early_attributes(c: ClassDraft) -> None:
    c.early.append(c.one_of("self_size = d * 2", "assert d > 0", "width = d"))


def docstring(c: ClassDraft) -> None:
    c.body.insert(
        0, c.one_of('"""A module.\n\nArgs:\n    d: width\n"""', "'''One.'''", 'r"""\\d"""')
    )


def class_attributes(c: ClassDraft) -> None:
    c.body.append(
        c.one_of(
            "expansion = 1",
            "size: int",
            "__constants__ = ['d']",
            "names = ['a', 'b']",
            "training: bool",
        )
    )


def extra_repr(c: ClassDraft) -> None:
    c.method('def extra_repr(self):\n    return f"{type(self).__name__}"')


def decorated(c: ClassDraft) -> None:
    helper = c.helper(
        "register",
        "TABLE_NAME = {}\n\n\ndef NAME(cls):\n    TABLE_NAME[cls.__name__] = cls\n    return cls",
    )
    c.decorators.append(f"@{helper}")


def keyword_only(c: ClassDraft) -> None:
    c.argument("*, eps", "1e-5") if not any("*" in a.name for a in c.arguments) else None


def early_return(c: ClassDraft) -> None:
    flag = c.argument("skip", "False")
    name = c.new_name("late")
    c.add(f"self.{name} = None", f"if {flag}:\n    return", f"self.{name} = {c.layer()}")
    c.step(f"if self.{name} is not None:\n    x = self.{name}(x)")


def forward_branches(c: ClassDraft) -> None:
    name = c.new_name("fc")
    c.add(f"self.{name} = {c.layer()}")
    c.step(
        c.one_of(
            f"x = self.{name}(x) if self.training else self.{name}(x)",
            f"if x.sum() > 1e9:\n    return x\nx = self.{name}(x)",
            f"residual = x\nx = self.{name}(x)\nx = x + residual",
            f"for _ in range(2):\n    x = torch.tanh(self.{name}(x))",
            f"x = (lambda t: self.{name}(t))(x)",
            f"x = torch.cat([self.{name}(x), x]).chunk(2)[0]",
        )
    )


def keeps_state(c: ClassDraft) -> None:
    name = c.new_name("state", "mask")
    c.add(f"self.{name} = None")
    c.step(
        c.one_of(
            f"self.{name} = x.detach()", f"if self.{name} is None:\n    self.{name} = torch.ones(1)"
        )
    )


def named_config(c: ClassDraft) -> None:
    c.add(
        c.one_of(
            "self.d = d", "self.config = {'d': d}", "self.size = (d, d)", "self.__dict__['d'] = d"
        )
    )
