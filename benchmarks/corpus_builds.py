"""How to build classes of the corpus whose arguments nothing in them tells.

Python source by pattern of ``module:Class``; the first that matches is run. It sets ``kwargs``, and
``inputs`` where they cannot be guessed either.
"""

from fnmatch import fnmatchcase

from pyroify.verify import Build

COLUMNS = """
import torch
from deepctr_torch.inputs import DenseFeat, SparseFeat
columns = [SparseFeat("a", 4, 8), SparseFeat("b", 4, 8), DenseFeat("c", 1)]
inputs = [torch.tensor([[0.0, 1.0, 0.5], [3.0, 2.0, -0.5]])]
"""
TABULAR = """
import torch
kwargs = dict(
    column_idx={"a": 0, "b": 1, "c": 2},
    cat_embed_input=%s,
    continuous_cols=["c"],
)
inputs = [torch.tensor([[0.0, 1.0, 0.5], [3.0, 2.0, -0.5]])]
"""
EMBEDDED = TABULAR % '[("a", 4, 8), ("b", 4, 8)]'
ATTENDED = TABULAR % '[("a", 4), ("b", 4)]'
IMAGES = """
import torch
from gymnasium import spaces
import numpy as np
observation_space = spaces.Box(0, 255, (3, 36, 36), np.uint8)
inputs = [torch.rand(2, 3, 36, 36)]
"""
VECTORS = """
import torch
from gymnasium import spaces
observation_space = spaces.Box(-1, 1, (5,))
inputs = [torch.rand(2, 5)]
"""
DICTIONARIES = """
import torch
from gymnasium import spaces
observation_space = spaces.Dict({"a": spaces.Box(-1, 1, (5,)), "b": spaces.Discrete(3)})
inputs = [{"a": torch.rand(2, 5), "b": torch.eye(3)[:2]}]
"""
BOX = "action_space = spaces.Box(-1, 1, (2,))\n"
CHOICES = "action_space = spaces.Discrete(4)\n"
NETWORK = """
from torch import nn
from stable_baselines3.common.torch_layers import FlattenExtractor
kwargs = dict(
    observation_space=observation_space,
    action_space=action_space,
    net_arch=[8, 8],
    features_extractor=FlattenExtractor(observation_space),
    features_dim=5,
)
"""
POLICY = """
kwargs = dict(
    observation_space=observation_space,
    action_space=action_space,
    lr_schedule=lambda progress: 1e-3,
)
"""
EXTRACTOR = "kwargs = dict(observation_space=observation_space)\n"

CATEGORIES = """
import torch
kwargs = dict(categories=(4, 4), num_continuous=3, dim=8, depth=2, heads=2, dim_head=4)
inputs = [torch.tensor([[0, 1], [3, 2]]), torch.rand(2, 3)]
"""
PAIRS = """
import torch
from torch import nn
inputs = [torch.rand(2, 8, 4, 4)]
kwargs = dict(
    blocks=nn.ModuleList([nn.ModuleList([nn.Conv2d(%d, %d, 1), nn.Conv2d(%d, %d, 1)])])
)
"""
IMAGE_NET = """
from siren_pytorch.siren_pytorch import SirenNet
net = SirenNet(dim_in=2, dim_hidden=8, dim_out=3, num_layers=2)
kwargs = dict(net=net, image_width=8, image_height=8)
inputs = []
"""
PERMUTED = """
import torch
from axial_attention.axial_attention import SelfAttention
kwargs = dict(permutation=[0, 2, 3, 1], fn=SelfAttention(8, 2))
inputs = [torch.rand(2, 8, 4, 4)]
"""
HALVES = """
import torch
from torch import nn
kwargs = dict(f=nn.Conv2d(4, 4, 1), g=nn.Conv2d(4, 4, 1))
inputs = [torch.rand(2, 8, 4, 4), {}, {}]
"""
GROUPED = "kwargs = dict(dim=8, groups=2, num_quantizers=2, %s)\n"

CODE = (
    ("tab_transformer_pytorch.*:FTTransformer", CATEGORIES),
    ("tab_transformer_pytorch.*:TabTransformer", CATEGORIES + "kwargs.update(dim_out=1)"),
    ("siren_pytorch.*:SirenWrapper", IMAGE_NET),
    ("axial_attention.*:PermuteToFrom", PERMUTED),
    ("axial_attention.*:IrreversibleBlock", HALVES),
    ("axial_attention.*:ReversibleSequence", PAIRS % (8, 8, 8, 8)),
    ("axial_attention.*:Sequential", PAIRS % (8, 8, 8, 8)),
    ("vector_quantize_pytorch.*:GroupedResidualVQ", GROUPED % "codebook_size=16"),
    ("vector_quantize_pytorch.*:GroupedResidualFSQ", GROUPED % "levels=[5, 5]"),
    ("deepctr_torch.models.multitask.*", COLUMNS + "kwargs = dict(dnn_feature_columns=columns)"),
    ("deepctr_torch.models.*:PNN", COLUMNS + "kwargs = dict(dnn_feature_columns=columns)"),
    ("deepctr_torch.models.*:MLR", COLUMNS + "kwargs = dict(region_feature_columns=columns)"),
    (
        "deepctr_torch.models.*",
        COLUMNS + "kwargs = dict(linear_feature_columns=columns, dnn_feature_columns=columns)",
    ),
    ("pytorch_widedeep.models.tabular.transformers.*er:*er", ATTENDED),
    ("pytorch_widedeep.models.tabular.*:SAINT", ATTENDED),
    ("pytorch_widedeep.models.tabular.mlp.*:*AttentionMLP", ATTENDED),
    ("pytorch_widedeep.*:TabMlp", EMBEDDED),
    ("pytorch_widedeep.*:TabResnet", EMBEDDED),
    ("pytorch_widedeep.*:TabNet", EMBEDDED),
    ("pytorch_widedeep.*:DeepCrossNetwork*", EMBEDDED),
    ("pytorch_widedeep.*:GatedDeepCrossNetwork", EMBEDDED),
    ("pytorch_widedeep.*:AutoInt*", ATTENDED),
    ("stable_baselines3.*:NatureCNN", IMAGES + EXTRACTOR),
    ("stable_baselines3.*:CombinedExtractor", DICTIONARIES + EXTRACTOR),
    ("stable_baselines3.*:FlattenExtractor", VECTORS + EXTRACTOR),
    ("stable_baselines3.*:QNetwork", VECTORS + CHOICES + NETWORK),
    (
        "stable_baselines3.*:ContinuousCritic",
        VECTORS + BOX + NETWORK + "inputs += [torch.rand(2, 2)]",
    ),
    ("stable_baselines3.*:Actor", VECTORS + BOX + NETWORK),
    ("stable_baselines3.dqn.*:CnnPolicy", IMAGES + CHOICES + POLICY),
    ("stable_baselines3.dqn.*:MultiInputPolicy", DICTIONARIES + CHOICES + POLICY),
    ("stable_baselines3.dqn.*Policy", VECTORS + CHOICES + POLICY),
    ("stable_baselines3.*:*CnnPolicy", IMAGES + BOX + POLICY),
    ("stable_baselines3.*:MultiInput*Policy", DICTIONARIES + BOX + POLICY),
    ("stable_baselines3.*Policy", VECTORS + BOX + POLICY),
)


def build_of(name: str) -> Build:
    """Return how to build the class ``module:Class``; all is guessed if no pattern matches."""
    return next((Build(code=code) for glob, code in CODE if fnmatchcase(name, glob)), Build())
