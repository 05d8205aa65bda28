"""What the catalogue says of other libraries, held against those that are installed."""

from __future__ import annotations

import re
import warnings
from abc import ABCMeta
from collections.abc import Iterator

import pytest

from pyroify.catalog.thirdparty import (
    ABSTRACT_BESIDE,
    HOLDING,
    MAKING_NETWORKS,
    OWN_METACLASS,
    OWN_PROTOCOL,
    PLAIN,
    WITHOUT_PARAMETERS,
    is_module,
)

pytestmark = pytest.mark.filterwarnings("ignore")

PUBLIC = {
    "sklearn.base": ("sklearn",),
    "lightning.pytorch": ("lightning",),
    "lightning.pytorch.callbacks": ("lightning",),
    "lightning.pytorch.loggers": ("lightning",),
    "torchmetrics": ("torchmetrics",),
    "torchmetrics.classification": ("torchmetrics",),
    "torchmetrics.image": ("torchmetrics",),
    "torchmetrics.text": ("torchmetrics",),
    "torchmetrics.wrappers": ("torchmetrics",),
    "timm.layers": ("timm",),
    "timm.models": ("timm",),
    "timm.data": ("timm",),
    "timm.scheduler": ("timm",),
    "transformers.modeling_utils": ("transformers",),
    "transformers.models.bert.modeling_bert": ("transformers",),
    "transformers.models.bert.configuration_bert": ("transformers",),
    "transformers.generation.utils": ("transformers",),
    "torch_geometric.nn": ("torch_geometric",),
    "torch_geometric.data": ("torch_geometric",),
    "torch_geometric.transforms": ("torch_geometric",),
    "fastai.layers": ("fastai",),
    "fastai.torch_core": ("fastai",),
}
"""Modules people import from, and the package each needs."""

BESIDE_THE_NETWORKS = re.compile(
    r"[a-z_]\w*|\w*(Output|Format|Mode|Cache|Info|Hooks|Index|Converter|Renaming|Recorder|Managers"
    r"|DistributedMixin)|Stop\w*|Deferred\w*|o|\w*(Warper|Penalty|List|Normalization|Trie)|\w*Generator\w*"
    r"|\w*(Loader|Sampler|Attr|Data)|Transformer"
)
"""Names of classes beside the networks, which nobody derives one from."""


def public(module: str) -> Iterator[tuple[str, type]]:
    """The classes of a module, by dotted names; skips where it is not installed."""
    package = PUBLIC[module][0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(package, reason=f"{package} is not installed", exc_type=Exception)
        found = pytest.importorskip(
            module, reason=f"{module} cannot be imported", exc_type=Exception
        )
    for name, value in vars(found).items():
        if isinstance(value, type) and value.__module__.startswith(package):
            yield f"{module}.{name}", value


@pytest.mark.parametrize("module", PUBLIC)
def test_modules_and_others_are_told_apart(module: str) -> None:
    torch = pytest.importorskip("torch")
    for dotted, value in public(module):
        kind = type(value)
        if PLAIN.fullmatch(dotted):
            assert not issubclass(value, torch.nn.Module) and kind is type, dotted
        elif ABSTRACT_BESIDE.fullmatch(dotted):
            assert not issubclass(value, torch.nn.Module) and kind in (type, ABCMeta), dotted
        elif is_module(dotted) and kind is type:
            is_beside = BESIDE_THE_NETWORKS.fullmatch(value.__name__) is not None
            assert issubclass(value, torch.nn.Module) or is_beside, dotted


@pytest.mark.parametrize("module", PUBLIC)
def test_metaclasses_of_modules_are_known(module: str) -> None:
    """One that does not go together with PyroModule's is listed, and no other is."""
    torch = pytest.importorskip("torch")
    for dotted, value in public(module):
        is_named = value.__name__ == dotted.rpartition(".")[2] and value.__name__ != "o"
        if issubclass(value, torch.nn.Module) and type(value) not in (type, ABCMeta) and is_named:
            assert OWN_METACLASS.fullmatch(dotted), dotted
        elif OWN_METACLASS.fullmatch(dotted):
            assert issubclass(value, torch.nn.Module), dotted


@pytest.mark.parametrize("module", [name for name in PUBLIC if name.startswith("torchmetrics")])
def test_metrics_have_no_parameters(module: str) -> None:
    torch = pytest.importorskip("torch")
    for dotted, value in public(module):
        if issubclass(value, torch.nn.Module) and WITHOUT_PARAMETERS.fullmatch(dotted):
            assert OWN_PROTOCOL.fullmatch(dotted)
            for arguments in ({}, {"task": "binary"}, {"num_classes": 3}, {"num_labels": 3}):
                try:
                    made = value(**arguments)
                except (TypeError, ValueError, ImportError, ModuleNotFoundError):
                    continue
                assert not list(made.parameters()), dotted


def test_what_holds_networks_is_not_among_the_metrics_without() -> None:
    for name in ("image.fid.FrechetInceptionDistance", "text.bert.BERTScore", "MetricCollection"):
        assert not WITHOUT_PARAMETERS.fullmatch(f"torchmetrics.{name}")
    assert HOLDING.fullmatch("torchmetrics.MetricCollection")
    assert HOLDING.fullmatch("torchmetrics.wrappers.MinMaxMetric")


@pytest.mark.parametrize("package", ["lightning", "pytorch_lightning"])
def test_a_module_of_lightning_can_be_mixed_in(package: str) -> None:
    nn = pytest.importorskip("pyro.nn")
    found = pytest.importorskip(package, reason=f"{package} is not installed")

    class Net(found.LightningModule, nn.PyroModule):
        pass

    assert isinstance(Net(), nn.PyroModule)


@pytest.mark.parametrize("name", ["BaseEstimator", "ClassifierMixin", "TransformerMixin"])
def test_a_mixin_of_sklearn_can_be_mixed_in(name: str) -> None:
    nn = pytest.importorskip("pyro.nn")
    base = pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")
    made = type("Net", (nn.PyroModule, getattr(base, name)), {})
    assert isinstance(made(), nn.PyroModule)


def test_a_metric_cannot_be_made_a_pyro_module() -> None:
    from pyro.nn.module import to_pyro_module_

    torchmetrics = pytest.importorskip("torchmetrics", reason="torchmetrics is not installed")
    with pytest.raises(TypeError, match="metaclass"):
        to_pyro_module_(torchmetrics.MeanMetric())


@pytest.mark.parametrize(
    ("call", "is_network"),
    [
        ("transformers.BertModel.from_pretrained", True),
        ("transformers.AutoModel.from_config", True),
        ("transformers.models.bert.BertModel.from_pretrained", True),
        ("transformers.BertTokenizerFast.from_pretrained", False),
        ("transformers.AutoTokenizer.from_pretrained", False),
        ("transformers.AutoProcessor.from_pretrained", False),
        ("transformers.AutoConfig.from_pretrained", False),
        ("torchvision.models.resnet18", True),
        ("torchvision.models.get_model_weights", False),
        ("torch.hub.load", True),
    ],
)
def test_calls_that_make_networks(call, is_network):
    assert (MAKING_NETWORKS.fullmatch(call) is not None) == is_network
