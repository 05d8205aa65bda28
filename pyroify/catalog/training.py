"""What trains the parameters it is given, or goes over them: functions of torch, Pyro and others.

Plain data; names are matched by their dotted form, and packages need not be installed.
"""

from __future__ import annotations

import re

OPTIMISERS = re.compile(
    r"(torch|pyro)\.optim\.(?!lr_scheduler|swa_utils).+|transformers\.(\w+\.)*(AdamW|Adafactor)"
    r"|(torch_optimizer|pytorch_optimizer|apex\.optimizers|bitsandbytes\.optim|deepspeed\.ops\.adam"
    r"|timm\.optim|lion_pytorch|adabelief_pytorch|madgrad|ranger\w*|dadaptation|prodigyopt"
    r"|heavyball)\..+"
)
"""Optimisers, and functions that make them."""

CONSUMERS = re.compile(
    rf"(?!pyro\.)({OPTIMISERS.pattern})"
    r"|torch\.nn\.utils\.(clip_grad\w*|parameters_to_vector|vector_to_parameters"
    r"|clip_grad\.\w+|convert_parameters\.\w+|get_total_norm)"
    r"|transformers\.(\w+\.)*(Seq2Seq)?Trainer|skorch\.\w+|torch\.optim\.swa_utils\.\w+"
    r"|(torch_ema|ema_pytorch|timm\.utils|diffusers\.training_utils)\.\w*(EMA|Ema|MovingAverage)\w*"
)
"""What trains, clips or averages the parameters, or the module, that it is given."""

TRAINING = frozenset(("fit", "fit_one_cycle", "fine_tune"))
"""Methods of trainers that train what they are given first."""

PASSING_ON = frozenset(
    """
    all any bool collections.deque copy.copy dict enumerate filter functools.reduce id
    isinstance iter itertools.chain itertools.chain.from_iterable itertools.islice
    itertools.tee len list map max min next print repr reversed set sorted str sum tqdm.tqdm tuple
    zip builtins.sum numpy.sum torch.stack torch.cat torch.sum
    """.split()
)
"""Functions that train nothing: what they give tells what becomes of it."""

GIVING_ALL = frozenset(
    """
    collections.OrderedDict collections.deque copy.copy dict iter itertools.chain list map reversed
    set sorted tqdm.tqdm tuple zip enumerate
    """.split()
)
"""Those of them, and the like, that give all that they are given."""

GUIDES = re.compile(r"pyro\..+")
"""What makes guides, and the losses of model and guide: they have parameters of their own."""

LIBRARIES = re.compile(
    r"(torch|torchvision|torchaudio|torchtext|torchmetrics|transformers|numpy|scipy|sklearn|pandas"
    r"|gymnasium|gym|tqdm|wandb|matplotlib)\..*"
)
"""Packages that give no instance of a class of the project but those they are given."""

INFERENCE = re.compile(r"pyro\.infer\.(\w+\.)*(SVI|Importance|Predictive|\w*ELBO|\w*Renyi\w*)")
"""What is given a model and, as the second or by its name, a guide."""

LOSSES = frozenset("loss loss_and_grads differentiable_loss loss_and_surrogate_loss".split())
"""Methods of an ELBO that are given a model and a guide."""

SAMPLING = frozenset(("pyro.sample", "pyro.primitives.sample"))
PYRO_STATEMENTS = re.compile(r"pyro\.(primitives\.)?(sample|plate|factor|deterministic|markov)")
"""Calls that make a function one of Pyro's."""
