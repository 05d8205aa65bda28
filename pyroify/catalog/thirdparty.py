"""What is known of modules outside torch: which classes are ``nn.Module`` and which hold nothing.

Names are matched by their dotted prefix and last component; packages need not be installed.
"""

from __future__ import annotations

import re

MODULE_BASES = re.compile(
    r"(.*\.)?(LightningModule|PreTrainedModel|PyTorchModelHubMixin|ModelMixin|BaseModule"
    r"|MessagePassing|FairseqEncoder|FairseqDecoder|FairseqModel|BaseFairseqModel)"
    r"|(torchvision|timm|transformers|torch_geometric|gpytorch|monai|segmentation_models_pytorch"
    r"|efficientnet_pytorch|kornia|torchaudio|dgl|lightning|pytorch_lightning|pyro\.nn)\..*"
)
"""Classes outside the project that descend from ``nn.Module``."""

MODULE_FREE = re.compile(
    r"einops\.layers\.torch\.(Rearrange|Reduce)|torchvision\.transforms\..*"
    r"|torch\.(?!nn\.(?!functional|init|utils))(?!ao\.nn|hub).*"
)
"""Calls that make no module with parameters: functions of torch, and layers that only reshape."""

NO_MODULES = frozenset(
    ("numpy", "np", "scipy", "math", "omegaconf", "yaml", "json", "tqdm", "logging", "PIL", "cv2")
)
"""Packages whose calls give no module."""
