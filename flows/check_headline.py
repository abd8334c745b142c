"""The answer in a sentence: what a model needs, the smallest device that runs it, the cheapest way to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.check_cheapest import RUNS

GIB = 2**30

_OF_A_TWIN = ("precision", "weights_basis")  # what may differ between two names of one format

Row = Mapping[str, Any]


def headline(answer: Row) -> str:
    """Plain text. What is not known is said to be unknown, with no device or price beside it."""
    said = [_needs(answer)]
    said.append(_smallest(answer))
    if smallest(answer["fit"]) is not None:
        said.append(_cheapest(answer))
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in said if sentence)


def nowhere(answer: Row, precisions: Sequence[str] = ()) -> str:
    """Why there is no device to name, at some precisions or at all of them."""
    asked = precisions or answer["verdicts"]
    verdicts = {verdict for precision in asked for verdict in answer["verdicts"].get(precision, ())}
    what = ", ".join(precisions) or "it"
    if verdicts == {"unsupported"}:
        return f"{what} {'are' if len(precisions) > 1 else 'is'} not supported by {answer['workload']['engine']}"
    if verdicts <= {"unknown", "unsupported"}:
        return f"where {what} run{'' if len(precisions) > 1 else 's'} is unknown"
    return f"{'none of these devices' if answer['asked_gpus'] else 'no device of the catalog'} holds {what}"


def is_twin(answer: Row) -> bool:
    """Whether the precision that the model is stored in has the same numbers: people need not read them twice."""
    stored = answer["model"]["stored_precision"]

    def told(precision: str) -> list[list[dict[str, Any]]]:
        return [
            [
                {name: row[name] for name in row if name not in _OF_A_TWIN}
                for row in rows
                if row["precision"] == precision
            ]
            for rows in (answer["requirements"], answer["fit"])
        ]

    return stored is not None and stored != "stored" and any(told(stored)) and told(stored) == told("stored")


def as_it_is(answer: Row) -> Row | None:
    """What the model needs in the first precision that is asked for and known: as it is stored, unless others are."""
    return next((row for row in answer["requirements"] if row["total_bytes"] is not None), None)


def smallest(rows: Sequence[Row]) -> Row | None:
    """The row with the fewest and smallest devices: a whole one before a slice of one, of two the cheaper."""
    running = [row for row in rows if row["verdict"] in RUNS]
    return min(running, key=_place, default=None)


def _place(row: Row) -> tuple[Any, ...]:
    usd = row["usd_per_hour"]
    return (
        *(row["gpus_needed"] or 0, row["segment"] == "slice", row["memory_gib_nominal"]),
        *(usd is None, usd or 0.0, row["gpu"]),
    )


def _needs(answer: Row) -> str:
    row, workload = as_it_is(answer), answer["workload"]
    use = f"for {_lower(workload['title'])} ({workload['engine']})"
    if row is None:
        return f"how much memory it needs {use} is unknown"
    running = {one["precision"] for one in answer["fit"] if one["verdict"] in RUNS}
    others = [one for one in answer["requirements"] if one["precision"] in running and one["total_bytes"] is not None]
    least = min(others, key=lambda one: one["total_bytes"], default=row)
    less = least["total_bytes"] < row["total_bytes"]
    or_less = f" or {least['total_bytes'] / GIB:,.2f} GiB as {least['precision']}" if less else ""
    return f"needs {row['total_bytes'] / GIB:,.2f} GiB {_written(answer, row['precision'])}{or_less} {use}"


def _written(answer: Row, precision: str) -> str:
    stored = answer["model"]["stored_precision"]
    if precision != "stored":
        return f"as {precision}"
    return f"as stored ({stored})" if stored else "as stored"


def _smallest(answer: Row) -> str:
    first, least = as_it_is(answer), smallest(answer["fit"])
    if first is None or least is None:
        return nowhere(answer)
    whole = smallest([row for row in answer["fit"] if row["precision"] == first["precision"]])
    found = [row for row in (whole, least) if row is not None]
    if whole is not None and _size(least) >= _size(whole):
        found = [whole]
    said = ", or ".join(f"{_device(row)} as {row['precision']}" for row in found)
    return f"smallest device{'s' if found[0]['gpus_needed'] > 1 else ''}: {said}"


def _size(row: Row) -> tuple[int, float]:
    return row["gpus_needed"], row["memory_gib_nominal"]


def _device(row: Row) -> str:
    count = "" if row["gpus_needed"] == 1 else f"{row['gpus_needed']:,} x "
    return f"{count}{row['name']}{' (tight)' if row['verdict'] == 'tight' else ''}"


def _cheapest(answer: Row) -> str:
    if not answer["cheapest"]:
        return "no price is known for any way to run it"
    way = answer["cheapest"][0]
    count = "" if way["gpus_needed"] == 1 else f"{way['gpus_needed']:,} x "
    stale = f", a price {way['price_age_days']:,} days old" if way["price_is_stale"] else ""
    is_stored = way["precision"] == answer["model"]["stored_precision"] and is_twin(answer)
    precision = "stored" if is_stored else way["precision"]
    return f"cheapest: {count}{way['name']} as {precision} at {way['usd_per_hour']:.2f} USD/h{stale}"


def _lower(title: str) -> str:
    """A title inside a sentence; abbreviations keep their capitals."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title
