"""The examples of the page on handlers run as they stand."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from emit_cases import PROJECT, emit

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "handlers.md"


def test_the_examples_run_beside_the_script(tmp_path: Path) -> None:
    shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True)
    (tmp_path / "train_svi.py").write_text(emit().script)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    (tmp_path / "examples.py").write_text("\n".join(blocks))
    ran = subprocess.run([sys.executable, "examples.py"], cwd=tmp_path, capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()
