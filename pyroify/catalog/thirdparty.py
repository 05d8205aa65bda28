"""What is known of classes outside the project and torch: modules, mixins, and neither.

Plain data, by dotted names; packages need not be installed. ``tests/test_catalog_thirdparty.py``
holds it against those that are.
"""

from __future__ import annotations

import re
from typing import Final

_MODULES: Final = re.compile(
    r"(.*\.)?(LightningModule|PreTrainedModel|ModelMixin|BaseModule"
    r"|MessagePassing|FairseqEncoder|FairseqDecoder|FairseqModel|BaseFairseqModel)"
    r"|(torchvision|timm\.(layers|models)|transformers|torch_geometric\.nn|gpytorch|monai"
    r"|segmentation_models_pytorch|efficientnet_pytorch|kornia|torchaudio|dgl|lightning"
    r"|pytorch_lightning|torchmetrics|pyro\.nn)\..*"
)
"""Classes that descend from ``nn.Module``, and what lies around them in their packages."""

PLAIN: Final = re.compile(
    r"sklearn\.base\.(BaseEstimator|\w+Mixin)"
    r"|(.*\.)?(PyTorchModelHubMixin|ModelHubMixin|PushToHubMixin|HyperparametersMixin)"
    r"|(lightning|pytorch_lightning)\.(.*\.)?(LightningDataModule|\w*Callback|callbacks\..*|Trainer"
    r"|Fabric|LightningLite|\w*CLI)"
    r"|transformers\.(.*\.)?(\w+(Config|TokenizerFast|Tokenizer|Callback|Processor|Arguments)"
    r"|\w*Trainer|GenerationMixin|ModuleUtilsMixin|EmbeddingAccessMixin|PeftAdapterMixin)"
    r"|torch_geometric\.(data|datasets)\.(.*\.)?\w*Dataset"
    r"|timm\.(layers|models)\.(.*\.)?\w*Cfg|torchvision\.datasets\..*"
    r"|fastai\.(.*\.)?(Callback|Learner|\w*DataLoaders|Metric)"
)
"""Classes that are no modules and have no metaclass of their own: they can be mixed in."""

ABSTRACT_BESIDE: Final = re.compile(
    r"(lightning|pytorch_lightning)\.(.*\.)?((loggers|strategies|accelerators|profilers)\..*"
    r"|BasePredictionWriter)"
    r"|torch_geometric\.(data\.(.*\.)?(Data|HeteroData)|transforms\..*)"
    r"|sklearn\.base\.\w+Protocol"
)
"""Classes that are no modules either, but have a metaclass."""

OWN_PROTOCOL: Final = re.compile(r"torchmetrics\.(?!utilities|functional).*")
"""Modules that set, name and move what they hold in their own way."""

OWN_METACLASS: Final = re.compile(
    r"fastai\.(.*\.)?(Module|AdaptiveConcatPool[12]d|SelfAttention|PooledSelfAttention2d|View"
    r"|ResizeBatch|SequentialEx|MergeLayer|SimpleSelfAttention|ResBlock|TimeDistributed|TabularModel"
    r"|SigmoidRange|MishJit|Mish|SwishJit|ProdLayer|ParameterModule|DynamicUnet|UnetBlock|AWD_LSTM|WeightDropout|RNNDropout)"
    r"|tltorch\.(.*\.)?(\w*Tensor(ized)?|(Complex)?BlockTT)"
)
"""Modules whose metaclass does not go together with PyroModule's, as bases and as parts."""

WITHOUT_PARAMETERS: Final = re.compile(
    r"torchmetrics\.(?!functional|utilities|wrappers|collections)(\w+\.)*"
    r"(?!ARNIQA|BERTScore|CLIP|Deep|Frechet|InfoLM|Inception|Kernel|Learned|Memorization|Metric\b"
    r"|MetricCollection|MetricTracker|NonIntrusive|Perceptual|BootStrapper|\w+Wrapper\b|MinMaxMetric)"
    r"[A-Z]\w+"
    r"|torch_geometric\.nn\.(\w+\.)*((Mean|Max|Min|Sum|Mul|Var|Std|Median)Aggregation"
    r"|global_\w+_pool|(avg|max)_pool\w*|PositionalEncoding|TemporalEncoding)"
    r"|timm\.(layers|models\.layers)\.(\w+\.)*(DropPath|DropBlock2d|PatchDropout|Format)"
    r"|torchvision\.ops\.(\w+\.)*(StochasticDepth|DropBlock[23]d|Permute)"
    r"|torch_einops_utils\.(nn\.)?Identity"
    r"|fastai\.layers\.(Flatten|View|ResizeBatch|Lambda|Debugger|Mish|SigmoidRange)"
)
"""Calls that make a module without parameters, whatever they are given."""

SEQUENTIAL: Final = re.compile(r"torch_einops_utils\.(nn\.)?Sequential")
"""Functions that make an ``nn.Sequential`` of what they are given, without None."""

HOLDING: Final = re.compile(r"torchmetrics\.(\w+\.)*(MetricCollection|MetricTracker|wrappers\.\w+)")
"""Calls that make a module whose parameters are those of what they are given."""


MAKING_NETWORKS: Final = re.compile(
    r"torchvision\.models\.(\w+\.)*(?!get_\w*weight|list_models|\w*_Weights)\w+|timm\.create_model"
    r"|torch\.hub\.load"
    r"|transformers\.(\w+\.)*(?!\w*(Tokenizer(Fast)?|Processor|FeatureExtractor|Config)\.)\w+"
    r"\.from_(pretrained|config)"
    r"|(segmentation_models_pytorch|efficientnet_pytorch)\.(\w+\.)*[A-Z]\w+(\.from_\w+)?"
)
"""Calls that make a whole network with parameters."""


def is_module(name: str) -> bool:
    """Whether a class outside the project and torch is known to descend from ``nn.Module``."""
    if PLAIN.fullmatch(name) or ABSTRACT_BESIDE.fullmatch(name):
        return False
    return bool(_MODULES.fullmatch(name) or OWN_METACLASS.fullmatch(name))


def is_no_module(name: str) -> bool:
    """Whether it is known not to."""
    return bool(PLAIN.fullmatch(name) or ABSTRACT_BESIDE.fullmatch(name))
