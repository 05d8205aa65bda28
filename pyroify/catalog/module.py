"""What ``nn.Module`` and ``PyroModule`` are called, and the names that they use themselves.

Plain data; ``tests/test_catalog_layers.py`` holds it against the installed torch and Pyro.
"""

from __future__ import annotations

from typing import Final

MODULE: Final = frozenset(
    ("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module")
)
PYRO_MODULE: Final = frozenset(("pyro.nn.PyroModule", "pyro.nn.module.PyroModule"))
"""The base classes, by all their names."""

MODULE_NAMES: Final = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda
    double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict modules mtia named_buffers named_children
    named_modules named_parameters named_pyro_params parameters register_backward_hook
    register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state
    set_submodule share_memory state_dict to to_empty train training type xpu zero_grad _buffers
    _modules _parameters
    """.split()
)

RETURNING_SELF: Final = frozenset(
    "to cuda cpu xpu float double half bfloat16 type train eval requires_grad_ apply to_empty"
    " share_memory compile".split()
)
"""Methods of a module that give the module."""

RETURNING_IT_UNCHANGED: Final = RETURNING_SELF - set(
    "double half bfloat16 type requires_grad_".split()
)
"""Those after which its parameters are what they were, for all that the source shows."""

PROTOCOL: Final = frozenset(
    """
    __call__ __delattr__ __getattr__ __setattr__ _apply add_module apply children modules
    named_children named_modules named_parameters parameters register_module register_parameter
    """.split()
)
"""What torch and Pyro go by to set, name, find and move what a module holds."""
