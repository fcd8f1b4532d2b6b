"""Render facts as a page: HTML in which every text is escaped, or Markdown."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from stages.study import recommendation

FOLDER = Path(__file__).parent
HTML = "html.jinja"  # the names of templates whose texts are escaped end with this
MINUS = "\u2212"
EPOCHS = ("epochs ", "fine epochs ")  # the descriptions of numbers that count epochs start with one of these


def render(template: str, facts: Mapping[str, Any]) -> str:
    """The page of `facts`, by the template of that name in this folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=jinja2.select_autoescape([HTML]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "signed": signed, "interval": interval, "p": p_value}
    environment.filters |= {"cost": cost, "scale": scale, "rate": rate}
    return environment.get_template(template).render(facts if template.endswith(HTML) else _in_cells(facts))


def number(value: float | None) -> str:
    """Three decimals; empty if there is no number."""
    return "" if _absent(value) else _with_minus(f"{round(value, 3) + 0.0:.3f}")  # -0.0 is 0.0


def signed(value: float) -> str:
    """Three decimals and a sign."""
    return _with_minus(f"{round(value, 3) + 0.0:+.3f}")


def interval(found: Mapping[str, Any]) -> str:
    """`value`, with the interval from `low` to `high` if there is one: whole epochs, all else in three digits.

    The word of a large number, such as `trillion`, stands behind.
    """
    if _absent(found["value"]):
        return ""
    whole = found.get("what", "").startswith(EPOCHS)
    numbers = [found[key] for key in ("value", "low", "high")]
    size, word = scale([abs(each) for each in numbers if not _absent(each)])
    value, low, high = (_digits(each, whole, size) for each in numbers)
    certain = whole and value == low == high
    return (f"{value} ({low} to {high})" if low and high and not certain else value) + (word and f" {word}")


def cost(value: float | None, size: float = 1) -> str:
    """Three digits, counted in `size`; empty if there is no number."""
    return "" if _absent(value) else f"{float(f'{value / size:.3g}'):,.15g}"


def scale(amounts: Iterable[float]) -> tuple[float, str]:
    """In what to count so that the largest of the amounts reads well: its size and its word."""
    return recommendation.scale(max(amounts, default=0))


def rate(value: float) -> str:
    """A learning rate as the pages write it: 0.001, or 1e-4 if it is smaller."""
    return f"{value:g}" if value >= 0.001 else np.format_float_scientific(value, trim="-", exp_digits=1)


def p_value(value: float) -> str:
    """Three decimals, or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _digits(value: float | None, whole: bool, size: float) -> str:
    if _absent(value):
        return ""
    value /= size
    if whole or abs(value) >= 1000:
        return _with_minus(f"{round(value):,}")
    digits = f"{value:g}" if float(value).is_integer() else f"{value:#.3g}"  # 20 images are whole; 0.9 is 0.900
    return _with_minus(digits.rstrip("."))


def _with_minus(text: str) -> str:
    return text.replace("-", MINUS)


def _absent(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _in_cells(facts: Any) -> Any:
    """The facts with `|` escaped, which would end the cell of a table in Markdown."""
    if isinstance(facts, Mapping):
        return {key: _in_cells(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_in_cells(value) for value in facts]
    return facts.replace("|", "\\|") if isinstance(facts, str) else facts
