"""The report of a run: one page that needs no other file."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 16px sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em }}
td, th {{ padding: 0 1em; text-align: right }}
td:first-child {{ text-align: left }}
img {{ max-width: 49%; vertical-align: top }}
</style>
<h1>{title}</h1>
{verdicts}
<table>
{table}
</table>
{images}
<h2>Settings</h2>
<pre>{settings}</pre>
</html>
"""


def write_report(
    path: Path,
    title: str,
    results: dict[str, dict[str, float]],
    pictures: Sequence[Path],
    verdicts: Sequence[str] = (),
) -> None:
    """Verdicts, numbers, settings and pictures in one file."""
    cells = [["", *map(html.escape, results)]]
    for name in next(iter(results.values())):
        cells.append([name, *(f"{column[name]:.4f}" for column in results.values())])
    table = "\n".join(f"<tr><td>{'<td>'.join(row)}" for row in cells)
    images = "\n".join(
        f'<img alt="{p.stem}" src="data:image/png;base64,'
        f'{base64.b64encode(p.read_bytes()).decode()}">'
        for p in pictures
    )
    settings = html.escape((path.parent / "run.json").read_text(), quote=False)
    words = "\n".join(f"<p>{html.escape(word)}" for word in verdicts)
    parts = {"table": table, "images": images, "settings": settings, "verdicts": words}
    text = PAGE.format(title=title, **parts)
    path.write_text(text, encoding="utf-8")
