"""Numbers and tables in Markdown."""

from collections.abc import Iterable, Sequence

SHOWN_DECIMALS = 3  # an image in a thousand, about as many as a validation set has


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [*(f"| {' | '.join(cells)} |" for cells in lines), ""]


def rounded(value: float) -> float:
    return round(value, SHOWN_DECIMALS) + 0.0  # turns -0.0 into 0.0


def number(value: float) -> str:
    return f"{rounded(value):.{SHOWN_DECIMALS}f}"


def change(value: float) -> str:
    return f"{rounded(value):+.{SHOWN_DECIMALS}f}"
