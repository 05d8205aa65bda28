"""What training scripts share: data, checkpoints, scores, pictures; nothing that a user changes.

`pyroify emit` puts a copy of this package beside the scripts that it writes, as ``svi_runtime``;
they call it ``rt``. It imports torch and Pyro, what is optional only where it is asked for, and
nothing of pyroify.
"""

from .audit import check, check_fit, print_check, refuse_infinite
from .chain import begins_chain, finish_chain, stopping_chain
from .chunks import stream_table
from .data import Parts, Rows, as_inputs, as_one_batch, as_rows
from .distributions import CensoredWeibull
from .ensemble import keep_member, members_left
from .errors import Abort
from .evaluation import (
    Optimizers,
    compare,
    fit_original,
    fit_point,
    report,
    validating,
    validation_nll,
    write_predictions,
)
from .export import export
from .files import read_archive, read_arrays, read_csv, read_parquet
from .guides import Chain, Laplace, MeanField, Members
from .handlers import Handled, ablated, matching, set_handlers
from .inference_data import load_xarray, write_arviz
from .initial import (
    built_with_values,
    drawn_rows,
    first_call,
    init_to_known,
    load_values,
    made_up_inputs,
    refuse_large,
)
from .likelihoods import ForAllRows, one_of_each_row, row_count
from .loop import Loop, StoredOptimizer
from .noise import begin_noise
from .objectives import MeanFieldElbo, Objective, Terms, TraceElbo, posterior, posterior_draws
from .outputs import Output, check_outputs
from .plateau import cooled, kl_warmup
from .project_data import read_project, some_inputs
from .ranks import is_helper, join_ranks, leave_ranks, ranks
from .run import Flags, Run, example_rows, exit_code, parse_flags, prepare, restore, set_up
from .scores import Classification, Density, Regression, two_classes
from .sites import Draw, drop_column, latent_sites, observed, sites_like, trace_model, whole_draw
from .sources import Source

__all__ = [
    "Abort",
    "CensoredWeibull",
    "Chain",
    "Classification",
    "Density",
    "Draw",
    "Flags",
    "ForAllRows",
    "Handled",
    "Laplace",
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
