"""From the ``svi:`` section of a spec to a training script and the tests beside it.

Nothing here imports torch: what is emitted does.
"""

from pyroify.emit.script import Emitted, emit_script
from pyroify.emit.section import Problem
from pyroify.emit.settings import EmitError

__all__ = ["EmitError", "Emitted", "Problem", "emit_script"]
