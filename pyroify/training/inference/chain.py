"""What surrounds a Markov chain: when it begins, how it stops, what is kept of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..checkpoints import check_same, load, make_folder, save
from ..errors import Abort
from ..progress import stop_signals
from ..run import Run
from .objectives import Objective


def begins_chain(run: Run) -> bool:
    """Whether there is a chain to run: not where a whole one is there already."""
    flags = run.flags
    if flags.resume not in ("auto", "never"):
        raise Abort(2, "a chain cannot go on from a file; use --resume auto or never")
    make_folder(flags.out)
    last = load(flags.out / "last.pt") if flags.resume == "auto" else None
    if last:
        check_same(last["about"], run.about, flags.out / "last.pt")
        print("the chain is complete", file=sys.stderr)
        return False
    if flags.resume == "auto" and (flags.out / "run.json").exists():
        print("a chain keeps nothing before its end; it begins again", file=sys.stderr)
    run.write_facts()
    return True


@contextmanager
def stopping_chain() -> Iterator[Callable[..., None]]:
    """Gives what is to be called after each step, and ends the run when it is asked to stop."""
    with stop_signals() as stop:

        def leave_if_asked(*_: object) -> None:
            if stop:
                raise Abort(130, "stopped; nothing of the chain is kept")

        yield leave_if_asked


def finish_chain(chain: Any, objective: Objective, run: Run) -> None:
    """Keeps the draws, and says how well the chain has mixed."""
    guide: Any = objective.guide
    guide.samples = chain.get_samples()
    facts = chain.diagnostics()
    worst = max(float(facts[name]["r_hat"].max()) for name in run.about["sites"])
    diverged = sum(map(len, facts["divergences"].values()))
    good = "below 1.1 and none are good, else raise --warmup and --draws"
    print(f"worst split r-hat {worst:.2f}, {diverged} divergences; {good}", file=sys.stderr)
    save(run.flags.out / "last.pt", {"about": run.about, "parameters": objective.state_dict()})
