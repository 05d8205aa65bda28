"""Show the whole tool on a copy of the example project: ``make demo``.

Everything happens in ./demo, which is made anew each time. Every command is printed as one would
type it there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent / "diabetes"
DEMO = EXAMPLE.parents[1] / "demo"
PROGRAMS = Path(sys.executable).parent


def heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def run(*command: str, expect: int = 0) -> None:
    """Print and run one command in the demo folder; stop the demo unless it ends as expected."""
    print(f"$ {' '.join(command)}", flush=True)
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    code = subprocess.run(command, cwd=DEMO, env={**os.environ, "PATH": path}).returncode
    if code != expect:
        sys.exit(f"demo: `{' '.join(command)}` ended with {code}, expected {expect}")


def copy_example() -> None:
    shutil.rmtree(DEMO, ignore_errors=True)
    shutil.copytree(EXAMPLE, DEMO, ignore=shutil.ignore_patterns("__pycache__", "*.pt"))
    if not shutil.which("git"):
        return
    identity = ("-c", "user.name=demo", "-c", "user.email=demo@localhost")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "Plain PyTorch")):
        subprocess.run(("git", *command), cwd=DEMO, check=True)


def main() -> None:
    heading(f"A small PyTorch project, copied to {DEMO}")
    copy_example()
    run("python", "train.py")

    heading("1. What pyroify.yaml makes of every parameter")
    run("pyroify", "plan")

    heading("2. The rewrite as a diff; nothing is written (exit code 1: there is something to do)")
    run("pyroify", "rewrite", "--diff", expect=1)

    heading("3. The rewrite")
    run("pyroify", "rewrite")

    heading("4. Proof: with the old weights put in, the new code computes what the old code did")
    run("pyroify", "verify", "--original", os.path.relpath(EXAMPLE, DEMO))

    heading("5. A training script for the rewritten network, made of the project's own train.py")
    run("pyroify", "emit", "--from", "train.py")

    heading("6. Train it, and compare with the plain network of the beginning")
    run("python", "train_svi.py", "--plots")

    heading("Done")
    print(f"Look around in {DEMO}: progression/ is Pyro source now, train_svi.py needs no pyroify.")
    for picture in sorted(DEMO.rglob("*.png")):
        print(f"picture: {picture}")


if __name__ == "__main__":
    main()
