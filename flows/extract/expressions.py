"""Small arithmetic in rows of catalogs/architectures: `2 * hidden * laurel_rank`.

Whole numbers, names of the configuration (`text.hidden` is one of a section), + - * // %, comparisons, and/or/not,
X if Y else Z, max, min, ceil (division rounded up), root (of a square, rounded down), doubled and halved (so many
times) and primes (their sum). Nothing else is understood, so a row can neither call nor import anything.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from functools import cache

from flows.extract.primes import sum_of_primes

LARGEST = 2**62
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_FUNCTIONS: dict[str, Callable[..., int]] = {
    "max": max,
    "min": min,
    "ceil": lambda a, b: -(-a // b),
    "root": math.isqrt,
    "doubled": lambda a, times: a << min(times, 64),
    "halved": lambda a, times: a >> times,
    "primes": sum_of_primes,
}


def evaluate(text: str | int, value_of: Callable[[str], int]) -> int:
    """The value of an expression. Raises ValueError for what it does not understand, division by zero and the absurd.

    `value_of` gives the number behind a name and raises ValueError when there is none.
    """
    if isinstance(text, int):
        return text
    try:
        value = _value(_parsed(text), value_of)
    except ZeroDivisionError as error:
        raise ValueError(f"{text}: division by zero") from error
    if abs(value) > LARGEST:
        raise ValueError(f"{text}: beyond any model")
    return value


@cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _value(node: ast.expr, value_of: Callable[[str], int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return value_of(name)
        case ast.Attribute(value=ast.Name(id=section), attr=name):
            return value_of(f"{section}.{name}")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, value_of), _value(right, value_of))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, value_of)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return int(not _value(operand, value_of))
        case ast.BoolOp(op=ast.And(), values=values):
            return int(all(_value(value, value_of) for value in values))
        case ast.BoolOp(op=ast.Or(), values=values):
            return int(any(_value(value, value_of) for value in values))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, value_of) else orelse, value_of)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            return int(_COMPARISONS[type(op)](_value(left, value_of), _value(right, value_of)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument, value_of) for argument in args))
    raise ValueError(f"not an expression that rows may use: {ast.unparse(node)}")
