"""The numeric proof: with the old weights put in, the new code computes what the old code did.

Everything that imports torch runs in a child process; this package itself does not import it.
"""

from pyroify.verify.model import Build, PlannedClasses, Status, Target, VerifyResult, Way
from pyroify.verify.origin import changed_tree, original_tree
from pyroify.verify.own_runs.notes import Recording
from pyroify.verify.own_runs.own_tests import TestsCompared, compare_tests
from pyroify.verify.own_runs.recording import RunLimits, record
from pyroify.verify.session import VerifyError, verify
from pyroify.verify.table import render_results

__all__ = [
    "Build",
    "PlannedClasses",
    "Recording",
    "RunLimits",
    "Status",
    "Target",
    "TestsCompared",
    "VerifyError",
    "VerifyResult",
    "Way",
    "changed_tree",
    "compare_tests",
    "original_tree",
    "record",
    "render_results",
    "verify",
]
