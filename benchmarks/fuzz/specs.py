"""Specs of many kinds, for the parameters that are really there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

from benchmarks.fuzz.sites import Key, Site

REAL_PRIORS = (
    "Normal(0, 1)",
    "Normal(0, 1)",
    "Normal(0, 0.1)",
    "Normal(loc=0, scale=2)",
    "Laplace(0, 1)",
    "StudentT(4, 0, 1)",
    "Cauchy(0, 1)",
    "Normal(0, 1 / numel)",
    "Normal(0, sqrt(2 / numel))",
    "Normal(0.5 - ndim, exp(-1))",
    "Normal(0, 2 ** -0.5)",
    "Gumbel(0, 1 + 0.5)",
    "Logistic(0, 1)",
)
OTHER_PRIORS = (
    "LogNormal(0, 1)",
    "HalfNormal(1)",
    "Gamma(2, 2)",
    "Uniform(-2, 2)",
    "Exponential(1)",
)
FAN_PRIORS = (
    "Normal(0, fan_in ** -0.5)",
    "Normal(0, radford)",
    "Normal(0, xavier)",
    "Normal(0, kaiming)",
    "Normal(0, kaiming(1))",
    "Laplace(0, 2 / (fan_in + fan_out))",
)
LAYERS = (
    "Linear",
    "LayerNorm",
    "BatchNorm*",
    "*Norm*",
    "PReLU",
    "Conv?d",
    "Embedding*",
    "nn.Linear",
)


def make_spec(sites: Sequence[Site], rng: random.Random) -> str:
    """A spec, as text."""
    maker = _Maker(sites, rng)
    return maker.text()


class _Maker:
    def __init__(self, sites: Sequence[Site], rng: random.Random) -> None:
        self.sites = [site for site in sites if site.keys]
        self.rng = rng
        self.rules: list[dict[str, object]] = []
        self.latents: list[dict[str, object]] = []

    def text(self) -> str:
        self._base()
        kinds: list[tuple[Callable[[], None], float]] = [
            (self._by_name, 3),
            (self._by_layer, 3),
            (self._by_class, 3),
            (self._exact, 3),
            (self._instance, 1.5),
            (self._param, 2.5),
            (self._fans, 2),
            (self._hierarchical, 1),
            (self._frozen, 1),
        ]
        for _ in range(self.rng.choice((0, 0, 1, 1, 2, 3, 4))):
            makers, weights = zip(*kinds, strict=True)
            self.rng.choices(makers, weights=weights)[0]()
        lines = ["version: 1", "priors:"]
        for rule in self.rules:
            lines += _entry(rule)
        if self.latents:
            lines.append("latents:")
            for latent in self.latents:
                lines += _entry(latent)
        lines += self._options()
        return "\n".join(lines) + "\n"

    def _base(self) -> None:
        if self.rng.random() < 0.85:
            self._add("**", sample=self._prior())
        elif self.rng.random() < 0.5:
            self._by_class()
        else:
            self._by_name()

    def _prior(self) -> str:
        if self.rng.random() < 0.1:
            return self.rng.choice(OTHER_PRIORS)
        return self.rng.choice(REAL_PRIORS)

    def _add(self, match: str, **rest: object) -> None:
        self.rules.append({"match": match, **rest})

    def _action(self) -> dict[str, object]:
        if self.rng.random() < 0.35:
            return {"keep": True}
        prior = self._prior()
        if prior.startswith(("Normal", "Laplace", "Cauchy")) and self.rng.random() < 0.1:
            return {"sample": prior, "centered": False}
        return {"sample": prior}

    def _key(self) -> Key | None:
        if not self.sites:
            return None
        return self.rng.choice(self.rng.choice(self.sites).keys)

    def _by_name(self) -> None:
        key = self._key()
        last = key.path.rpartition(".")[2] if key else "weight"
        pattern = self.rng.choice(
            (f"**.{last}", "**.bias", "**.weight", "**.weight*", f"*.{last}", "*.*.*")
        )
        self._add(pattern, **self._action())

    def _by_layer(self) -> None:
        layers = self.rng.sample(LAYERS, self.rng.choice((1, 1, 2)))
        pattern = self.rng.choice(("**", "**", "**.weight", "**.bias"))
        self._add(pattern, layer=layers if len(layers) > 1 else layers[0], **self._action())

    def _by_class(self) -> None:
        key = self._key()
        if key is None:
            return
        name = self.rng.choice(
            (key.qualname, key.qualname, f"{key.module}:{key.qualname}", f"{key.qualname[:2]}*")
        )
        first = key.path.split(".")[0]
        rest = self.rng.choice(
            ("**", "**", "*", f"{first}.**", "*.weight", "**.bias", f"{first[:2]}*.*")
        )
        self._add(f"{name}.{rest}", **self._action())

    def _exact(self) -> None:
        key = self._key()
        if key is None:
            return
        path = key.path
        if self.rng.random() < 0.3:
            path = ".".join("*" if s.isdecimal() else s for s in path.split("."))
        module = f"{key.module}:" if self.rng.random() < 0.3 else ""
        self._add(f"{module}{key.qualname}.{path}", **self._action())

    def _instance(self) -> None:
        held = [site for site in self.sites if site.instance_keys]
        if not held:
            return
        key = self.rng.choice(self.rng.choice(held).instance_keys)
        pattern = self.rng.choice((key.path, f"{key.instance}.**"))
        self._add(f"{key.qualname}.{pattern}", **self._action())

    def _param(self) -> None:
        positive = [site for site in self.sites if site.is_positive and not site.frozen]
        if not positive:
            return
        site = self.rng.choice(positive)
        key = site.keys[0]
        options = [
            {"param": "positive"},
            {"param": "softplus_positive"},
            {"param": "greater_than(0)"},
            {"param": {"greater_than": {"lower_bound": 0}}},
            {"param": "positive", "init": 1.5},
            {"param": "positive", "init": "exp"},
            {"param": "real"},
            {"param": "interval(-9, 9)"},
        ]
        self._add(f"{key.qualname}.{key.path}", **self.rng.choice(options))

    def _fans(self) -> None:
        prior = self.rng.choice(FAN_PRIORS)
        if self.rng.random() < 0.5:
            self._add("**", layer=self.rng.choice(("Linear", "Conv*", "nn.Linear")), sample=prior)
            return
        matrices = [site for site in self.sites if len(site.shape) >= 2]
        if matrices:
            key = self.rng.choice(matrices).keys[0]
            self._add(f"{key.qualname}.{key.path}", sample=prior)

    def _hierarchical(self) -> None:
        own = [site for site in self.sites if site.is_own and not site.frozen]
        if not own:
            return
        key = self.rng.choice(own).keys[0]
        centered = {"centered": False} if self.rng.random() < 0.4 else {}
        self._add(f"{key.qualname}.{key.path}", sample="Normal(0, self.tau)", **centered)
        if not any(latent["class"] == key.qualname for latent in self.latents):
            self.latents.append({"class": key.qualname, "name": "tau", "sample": "HalfCauchy(1)"})

    def _frozen(self) -> None:
        frozen = [site for site in self.sites if site.frozen]
        if frozen:
            key = self.rng.choice(frozen).keys[0]
            self._add(f"{key.qualname}.{key.path}", sample=self._prior())

    def _options(self) -> list[str]:
        chosen = [
            name
            for name in ("follow_module", "load_original_state_dict")
            if self.rng.random() < 0.12
        ]
        return ["options:", *(f"  {name}: true" for name in chosen)] if chosen else []


def _entry(values: dict[str, object]) -> list[str]:
    lines = [f"{key}: {json.dumps(value)}" for key, value in values.items()]
    return [f"  - {lines[0]}", *(f"    {line}" for line in lines[1:])]
