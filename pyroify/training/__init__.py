"""What training scripts share: data, checkpoints, scores, pictures; nothing that a user changes.

`pyroify emit` puts a copy of this package beside the scripts that it writes, as ``svi_runtime``;
they call it ``rt``. It imports torch and Pyro, what is optional only where it is asked for, and
nothing of pyroify.
"""

from .data.chunks import stream_table
from .data.files import read_archive, read_arrays, read_csv, read_parquet
from .data.project import read_project, some_inputs
from .data.rows import Parts, Rows, as_inputs, as_one_batch, as_rows
from .data.sources import Source
from .errors import Abort
from .inference.chain import begins_chain, finish_chain, stopping_chain
from .inference.curvature import Curvature
from .inference.ensemble import keep_member, members_left
from .inference.guides import Chain, Laplace, MeanField, Members
from .inference.linearised import Linearised
from .inference.loop import Loop, StoredOptimizer
from .inference.noise import begin_noise
from .inference.objectives import (
    MeanFieldElbo,
    Objective,
    Terms,
    TraceElbo,
    posterior,
    posterior_draws,
)
from .inference.plateau import cooled, kl_warmup
from .inference.point import Optimizers, fit_point, hold_noise
from .model.audit import check, check_fit, print_check, refuse_infinite
from .model.distributions import CensoredWeibull
from .model.handlers import Handled, ablated, matching, set_handlers
from .model.initial import (
    built_with_values,
    drawn_rows,
    first_call,
    init_to_known,
    load_values,
    made_up_inputs,
    refuse_large,
)
from .model.likelihoods import ForAllRows, one_of_each_row, row_count
from .model.outputs import Output, check_outputs
from .model.sites import (
    Draw,
    drop_column,
    latent_sites,
    observed,
    sites_like,
    trace_model,
    whole_draw,
)
from .ranks import is_helper, join_ranks, leave_ranks, ranks
from .results.evaluation import (
    compare,
    fit_original,
    report,
    validating,
    validation_nll,
    write_predictions,
)
from .results.export import export
from .results.inference_data import load_xarray, write_arviz
from .results.scores import Classification, Density, Regression, two_classes
from .results.survival import Survival
from .run import Flags, Run, example_rows, exit_code, parse_flags, prepare, restore, set_up

__all__ = [
    "Abort",
    "CensoredWeibull",
    "Chain",
    "Classification",
    "Curvature",
    "Density",
    "Draw",
    "Flags",
    "ForAllRows",
    "Handled",
    "Laplace",
    "Linearised",
    "Loop",
    "MeanField",
    "MeanFieldElbo",
    "Members",
    "Objective",
    "Optimizers",
    "Output",
    "Parts",
    "Regression",
    "Rows",
    "Run",
    "Source",
    "StoredOptimizer",
    "Survival",
    "Terms",
    "TraceElbo",
    "ablated",
    "as_inputs",
    "as_one_batch",
    "as_rows",
    "begin_noise",
    "begins_chain",
    "built_with_values",
    "check",
    "check_fit",
    "check_outputs",
    "compare",
    "cooled",
    "drawn_rows",
    "drop_column",
    "example_rows",
    "exit_code",
    "export",
    "finish_chain",
    "first_call",
    "fit_original",
    "fit_point",
    "hold_noise",
    "init_to_known",
    "is_helper",
    "join_ranks",
    "keep_member",
    "kl_warmup",
    "latent_sites",
    "leave_ranks",
    "load_values",
    "load_xarray",
    "made_up_inputs",
    "matching",
    "members_left",
    "observed",
    "one_of_each_row",
    "parse_flags",
    "posterior",
    "posterior_draws",
    "prepare",
    "print_check",
    "ranks",
    "read_archive",
    "read_arrays",
    "read_csv",
    "read_parquet",
    "read_project",
    "refuse_infinite",
    "refuse_large",
    "report",
    "restore",
    "row_count",
    "set_handlers",
    "set_up",
    "sites_like",
    "some_inputs",
    "stopping_chain",
    "stream_table",
    "trace_model",
    "two_classes",
    "validating",
    "validation_nll",
    "whole_draw",
    "write_arviz",
    "write_predictions",
]
