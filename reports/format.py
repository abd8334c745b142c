"""Numbers and words for people. Every filter takes null and shows it as unknown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime

GIB = 2**30
MINUS = "\N{MINUS SIGN}"
UNKNOWN = "unknown"
# Beside a price that is older than prices of its kind hold: a glyph and a word, no colour.
STALE = "\N{WHITE DIAMOND}\N{NO-BREAK SPACE}stale"

VERDICT_WORDS = {
    "fits": "fits",
    "tight": "tight",
    "sharded": "sharded",
    "offload": "offload",
    "too_big": "too big",
    "unsupported": "unsupported",
    "unknown": "unknown",
}
# A glyph for each verdict, so that colour is never alone.
GLYPHS = {
    "fits": "●", "tight": "◐", "sharded": "◫", "offload": "◇", "too_big": "○", "unsupported": "\u2013", "unknown": "?",
}  # fmt: skip
# A mark for each confidence, with what it means.
CONFIDENCES = {
    "exact": ("■", "published counts and configuration agree"),
    "derived": ("▣", "from one verified source"),
    "estimated": ("□", "best available estimate"),
}


def gib(value: int | float | None) -> str:
    """Bytes as GiB: 21.25 GiB, 0.47 GiB, 1,268 GiB."""
    if value is None:
        return UNKNOWN
    amount = value / GIB
    if amount and abs(amount) < 0.005:
        return f"{value / 2**20:,.2f} MiB"
    return f"{amount:,.0f} GiB" if abs(amount) >= 1000 else f"{amount:,.2f} GiB"


def count(value: int | float | None) -> str:
    """A count with separators."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def billions(value: int | float | None) -> str:
    """Parameters: 8.03 B, 494 M, 671 B."""
    if value is None:
        return UNKNOWN
    if value >= 10**11:
        return f"{value / 1e9:,.0f} B"
    if value >= 10**9:
        return f"{value / 1e9:,.2f} B"
    return f"{value / 1e6:,.0f} M" if value >= 10**6 else f"{value:,}"


def tokens(value: int | None) -> str:
    """A context length: 131,072 tokens."""
    return UNKNOWN if value is None else plural(value, "token")


def usd(value: float | None) -> str:
    """US dollars with cents."""
    return "no price" if value is None else f"${value:,.2f}"


def usd_or_unknown(value: float | None) -> str:
    """US dollars with cents, of what follows from a price and a speed."""
    return UNKNOWN if value is None else usd(value)


def cost(value: float | None) -> str:
    """US dollars of what follows from a price and a speed: two digits below a dollar, $0.0073."""
    if value is None or not 0 < value < 1:
        return usd_or_unknown(value)
    digits = max(2, 1 - math.floor(math.log10(value)))
    return f"${value:.{digits}f}"


def day(value: date | datetime | None) -> str:
    """An ISO date."""
    return UNKNOWN if value is None else f"{value:%Y-%m-%d}"


def moment(value: datetime | None) -> str:
    """A time of the night, UTC."""
    return UNKNOWN if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def plural(number: int, one: str, many: str | None = None) -> str:
    """1 model, 2 models, 0 models, 1,200 models."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> str:
    """A share without false precision; of nothing it is unknown."""
    if not whole:
        return UNKNOWN
    share = 100 * part / whole
    return "<1 %" if 0 < share < 1 else ">99 %" if 99 < share < 100 else f"{share:.0f} %"


def difference(theirs: int | None, ours: int | None) -> str:
    """How far another number is from ours: +9 %, -44 %, the same; unknown without both."""
    if theirs is None or not ours:
        return UNKNOWN
    share = 100 * (theirs - ours) / ours
    if abs(share) < 0.05:
        return "the same"
    digits = 1 if abs(share) < 10 else 0
    return f"{'+' if share > 0 else MINUS}{abs(share):,.{digits}f} %"


def share(value: float | None) -> str:
    """A relative error: 0.38 %, 12 %, 0 %."""
    if value is None:
        return UNKNOWN
    part = 100 * value
    if not part:
        return "0 %"
    return "<0.01 %" if 0 < part < 0.005 else f"{part:.2f} %" if part < 1 else f"{part:.3g} %"


def text(value: object) -> str:
    """Anything else; null is unknown."""
    return UNKNOWN if value is None or value == "" else str(value)


def lowered(title: str) -> str:
    """A title inside a sentence: its first letter small, unless another capital follows close (RAG, LoRA)."""
    return title if any(letter.isupper() for letter in title[1:3]) else f"{title[:1].lower()}{title[1:]}"


def short(digest: str) -> str:
    """The part of a digest that people compare."""
    return digest[:12]


def cell(value: object, kind: str) -> str:
    """A cell of a big table in words, as table.js shows it. kind as in Column; a link is [text, href]."""
    if value is None:
        return "no price" if kind == "usd" else UNKNOWN
    if kind == "link" and isinstance(value, list | tuple):
        return str(value[0])
    if kind == "verdict":
        word = str(value)
        return f"{GLYPHS[word]} {VERDICT_WORDS[word]}" if word in GLYPHS else word
    if isinstance(value, int | float):
        numeric: dict[str, Callable[[int | float], str]] = {
            "bytes": gib, "count": decimal, "usd": usd, "cost": cost, "parameters": billions, "share": share,
        }  # fmt: skip
        return numeric.get(kind, text)(value)
    return text(value)


def decimal(value: int | float) -> str:
    """A count with separators and at most three decimals."""
    return f"{value:,.3f}".rstrip("0").rstrip(".")


PRICE_ORIGINS = {
    "site": "the list of this site",
    "snapshot": "the last refresh",
    "seed": "the list that comes with hubfit",
}


def price_sentence(oldest: date | None, newest: date | None, origins: Sequence[str] = (), stale: int = 0) -> str:
    """How old the prices are, where they are from, and for how many devices they are stale."""
    if oldest is None or newest is None:
        return "Dates of the prices: unknown." if oldest or newest else "No prices in this run."
    dated = f"Prices of {day(oldest)}" if oldest == newest else f"Prices from {day(oldest)} to {day(newest)}"
    named = " and ".join(words for origin, words in PRICE_ORIGINS.items() if origin in origins)
    told = f"{dated}, by {named}" if named else dated
    if not stale:
        return f"{told}."
    return f"{told}; stale for {stale:,} {'device' if stale == 1 else 'devices'}."


def ranking_sentence(is_scored: bool, benchmarks: Sequence[str]) -> str:
    """By what models are ranked, in words."""
    rule = "effective parameters (of a mixture of experts the geometric mean of all and of the active ones)"
    if not is_scored:
        return f"Ranked by verdict and {rule}: a rule of thumb, for this site brought no scores."
    told = f" ({', '.join(benchmarks)})" if benchmarks else ""
    return f"Ranked by verdict and the scores of this site{told}; models without one follow by {rule}."


def device_sentence(
    name: str, models: int, fitting: int, sharded: int, unknown: int, largest: str | None, precision: str | None,
    title: str,
) -> str:  # fmt: skip
    """The verdict of a device page, in words."""
    if not models:
        return f"No model was read this night, so nothing can be said about {name}."
    start = f"Of {plural(models, 'model')}, {count(fitting)} {'runs' if fitting == 1 else 'run'} on one {name}"
    start += f" ({lowered(title)})"
    if largest and precision:
        start += f"; the largest is {largest} at {precision}"
    sentence = start + "."
    if sharded:
        sentence += f" {plural(sharded, 'more model')} {'needs' if sharded == 1 else 'need'} several in one node."
    if unknown:
        sentence += f" For {plural(unknown, 'model')} too little is known to tell."
    return sentence


def model_sentence(
    model_id: str, parameters: int | None, fits_on: int, devices: int, device: str | None, precision: str | None,
    title: str, active: int | None = None,
) -> str:  # fmt: skip
    """The verdict of a model page, in words."""
    size = f"The size of {model_id} is unknown"
    if parameters is not None:
        size = f"{model_id} has {billions(parameters)} parameters"
        if active is not None and active < parameters:
            size += f", {billions(active)} of them active per token"
    use = lowered(title)
    if not fits_on:
        return f"{size}. No single device of {plural(devices, 'catalogued device')} is known to hold it ({use})."
    where = f"For {use} it fits on {count(fits_on)} of {plural(devices, 'device')}"
    if device and precision:
        where += f"; the smallest is {device} at {precision}"
    return f"{size}. {where}."


def overview_sentence(listed: int, read: int, failed: int, unknown: int) -> str:
    """The verdict of the night, in words."""
    if not listed:
        return "Nothing was listed for this night."
    sentence = f"{plural(read, 'model')} of {count(listed)} listed {'was' if read == 1 else 'were'} read"
    sentence += f"; {count(failed)} could not be." if failed else ", none failed."
    if unknown:
        sentence += f" For {plural(unknown, 'model')} the need is at least partly unknown, and says so."
    return sentence
