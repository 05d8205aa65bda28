"""What is known of modules outside torch: which classes are ``nn.Module``.

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
