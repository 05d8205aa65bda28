"""The report of a run: one page that needs no other file."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from .pictures.draw import Drawn

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.4 sans-serif; max-width: 75em; margin: 1em auto; padding: 0 1em }}
.scroll {{ overflow-x: auto }}
table {{ border-collapse: collapse }}
td, th {{ padding: .2em .6em; text-align: right; border-top: 1px solid #ddd; vertical-align: top }}
td:first-child, td:last-child, th:last-child {{ text-align: left }}
td:last-child {{ min-width: 16em }}
.pictures {{ display: grid; gap: 1.5em }}
.pictures {{ grid-template-columns: repeat(auto-fill, minmax(20em, 1fr)) }}
figure {{ margin: 0 }}
img {{ width: 100% }}
@media (max-width: 40em) {{  /* what a score tells goes below it */
  tr {{ display: flex; flex-wrap: wrap; border-top: 1px solid #ddd }}
  td, th {{ flex: 1; border: 0 }}
  td:last-child {{ flex-basis: 100%; padding-top: 0; color: #555 }}
  th:last-child {{ display: none }}
}}
</style>
<h1>{title}</h1>
<ul>
{verdicts}
</ul>
<h2>Scores</h2>
<div class="scroll"><table>
{table}
</table></div>
{pictures}
<h2>Settings</h2>
<pre class="scroll">{settings}</pre>
</html>
"""

METRICS = {
    "rmse": "root of the mean squared error, in the units of the targets; lower is better",
    "mae": "mean size of the error, in the units of the targets; lower is better",
    "nll": "nats by which each row surprised the model, its spread included; lower is better",
    "crps": "mean distance of the whole prediction from the truth, in its units; lower is better",
    "aleatoric_sd": "noise that is in the rows themselves: more rows do not lower it",
    "epistemic_sd": "what is not known of the network: more rows lower it",
    "accuracy": "share of the rows whose class was the likeliest; higher is better",
    "brier": "squared error of the probabilities, 0 to 2; lower is better",
    "ece": "mean gap between confidence and accuracy, in 15 bins; lower is better",
    "entropy": "nats of doubt about the class, noise and ignorance together",
    "mutual_information": "nats of that doubt which more rows would lower",
    "c_index": "share of pairs whose events come in the predicted order; 0.5 is chance, 1 is best",
}
"""What each score tells, for a reader who has never met it."""


def explained(metric: str) -> str:
    """What a score tells."""
    if metric.startswith("coverage_"):
        share = metric.removeprefix("coverage_")
        return f"share of the targets in their {share} % interval; it should be 0.{share}"
    return METRICS[metric]


def write_report(
    path: Path,
    title: str,
    results: dict[str, dict[str, float]],
    drawn: Sequence[Drawn],
    verdicts: Sequence[str],
) -> None:
    """Verdicts, numbers with their meaning, pictures and settings in one file."""
    head = "".join(f"<th>{html.escape(name)}" for name in ("", *results, "what it tells"))
    lines = [f"<tr>{head}"]
    for name in next(iter(results.values())):
        cells = [name, *(f"{column[name]:.4f}" for column in results.values()), explained(name)]
        lines.append(f"<tr><td>{'<td>'.join(map(html.escape, cells))}")
    parts = {
        "title": html.escape(title),
        "table": "\n".join(lines),
        "pictures": pictures(drawn),
        "settings": html.escape((path.parent / "run.json").read_text(), quote=False),
        "verdicts": "\n".join(f"<li>{emphasised(word)}" for word in verdicts),
    }
    path.write_text(PAGE.format(**parts), encoding="utf-8")


def emphasised(verdict: str) -> str:
    """A verdict with its first words, up to the colon, in bold."""
    first, colon, rest = verdict.partition(":")
    return f"<b>{html.escape(first + colon)}</b>{html.escape(rest)}"


def pictures(drawn: Sequence[Drawn]) -> str:
    """Each with the sentence on how to read it; nothing where there are none."""
    if not drawn:
        return "<p>The flag --plots adds pictures."
    return (
        '<h2>Pictures</h2>\n<div class="pictures">\n' + "\n".join(map(figure, drawn)) + "\n</div>"
    )


def figure(drawn: Drawn) -> str:
    """A picture, as a part of the page."""
    content = base64.b64encode(drawn.path.read_bytes()).decode()
    picture = drawn.picture
    alt = f"{picture.name}: {html.escape(picture.title)}"
    image = f'<img alt="{alt}" src="data:image/png;base64,{content}">'
    return f"<figure>{image}<figcaption>{html.escape(picture.reading)}</figcaption></figure>"
