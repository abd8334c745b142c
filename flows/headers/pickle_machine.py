"""The stack machine of pickles, with nothing behind it: names stay names, and five kinds of calls have a meaning.

It imports nothing, looks nothing up and runs nothing that a file names. Its values are bounded in number, depth of the
stack and memory. An object that needs a class, a constructor or a state is a HeaderProblem that names the class.
"""

from __future__ import annotations

from collections.abc import Callable

from flows.headers import torch_globals
from flows.headers.opcodes import Source, opcodes
from flows.headers.pickle_values import Global, Mapping, Memory, described, printable
from flows.headers.problem import HeaderProblem

DEEPEST_STACK = 10_000
LARGEST_MEMO = 1_000_000  # entries
PROTOCOLS = range(2, 6)
_SLOT = 16  # bytes that a list takes for an entry, at the moment at which it grows
_SET = object()
_HOLE = object()  # where a memo has nothing


class Machine:
    """Reads one pickle. Raises HeaderProblem, and nothing else, for any bytes."""

    def __init__(self, source: Source, storages: torch_globals.Storages, memory: Memory) -> None:
        self._source, self._storages, self._memory = source, storages, memory
        self._stack: list[object] = []
        self._marks: list[int] = []  # depths of the stack
        self._memo: list[object] = []
        self._memoized = 0

    def run(self) -> object:
        """The value that the pickle stands for."""
        read = opcodes(self._source)
        action, version = next(read)
        if action != "protocol" or version not in PROTOCOLS:
            raise HeaderProblem("it does not begin like a pickle of protocol 2 to 5")
        for action, argument in read:
            if action == "stop":
                break
            _DO[action](self, argument)
        return self._pop()

    def _pop(self) -> object:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise HeaderProblem("the pickle takes more from its stack than there is")
        return self._stack.pop()

    def _top(self) -> object:
        value = self._pop()
        self._stack.append(value)
        return value

    def _push(self, value: object) -> None:
        if len(self._stack) + len(self._marks) >= DEEPEST_STACK:
            raise HeaderProblem(f"a stack of more than {DEEPEST_STACK:,} values")
        self._stack.append(value)

    def _make(self, value: object) -> None:
        """Push something that did not exist before."""
        self._memory.charge_value(value)
        self._push(value)

    def _to_mark(self) -> list[object]:
        if not self._marks:
            raise HeaderProblem("the pickle takes from a mark that it did not set")
        at = self._marks.pop()
        found = self._stack[at:]
        del self._stack[at:]
        return found

    # Each of the following does what one opcode stands for; `argument` is what the opcode carries.

    def _mark(self, argument: object) -> None:
        if len(self._stack) + len(self._marks) >= DEEPEST_STACK:
            raise HeaderProblem(f"a stack of more than {DEEPEST_STACK:,} values")
        self._marks.append(len(self._stack))

    def _drop(self, argument: object) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()  # a mark is popped like a value
        else:
            self._pop()

    def _drop_to_mark(self, argument: object) -> None:
        self._to_mark()

    def _duplicate(self, argument: object) -> None:
        self._push(self._top())

    def _tuple(self, count: object) -> None:
        assert isinstance(count, int)
        self._make(tuple([self._pop() for _ in range(count)][::-1]))

    def _marked_tuple(self, argument: object) -> None:
        self._make(tuple(self._to_mark()))

    def _list(self, argument: object) -> None:
        self._make([])

    def _append(self, argument: object) -> None:
        self._extend([self._pop()])

    def _appends(self, argument: object) -> None:
        self._extend(self._to_mark())

    def _extend(self, values: list[object]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise HeaderProblem(f"needs code to be run: a method of {described(target)}")
        self._memory.charge(_SLOT * len(values))
        target.extend(values)

    def _mapping(self, argument: object) -> None:
        mapping = Mapping()
        self._memory.charge_value(mapping.items)
        self._make(mapping)

    def _set_item(self, argument: object) -> None:
        value, key = self._pop(), self._pop()
        self._put_pairs([key, value])

    def _set_items(self, argument: object) -> None:
        self._put_pairs(self._to_mark())

    def _put_pairs(self, values: list[object]) -> None:
        target = self._top()
        if not isinstance(target, Mapping):
            raise HeaderProblem(f"needs code to be run: a method of {described(target)}")
        if len(values) % 2:
            raise HeaderProblem("a mapping has a key without a value")
        target.put(zip(values[::2], values[1::2], strict=True), self._memory)

    def _set(self, argument: object) -> None:
        self._push(_SET)

    def _add_items(self, argument: object) -> None:
        self._to_mark()
        if self._top() is not _SET:
            raise HeaderProblem(f"needs code to be run: a method of {described(self._top())}")

    def _frozen_set(self, argument: object) -> None:
        self._to_mark()
        self._push(_SET)

    def _put(self, index: object) -> None:
        """Without an index at the next free one, as picklers count them."""
        at = index if isinstance(index, int) else self._memoized
        if at >= LARGEST_MEMO:
            raise HeaderProblem(f"a memo of more than {LARGEST_MEMO:,} values")
        if (missing := at + 1 - len(self._memo)) > 0:
            self._memory.charge(_SLOT * missing)
            self._memo.extend([_HOLE] * missing)
        self._memo[at] = self._top()
        self._memoized += 1

    def _get(self, index: object) -> None:
        assert isinstance(index, int)
        value = self._memo[index] if index < len(self._memo) else _HOLE
        if value is _HOLE:
            raise HeaderProblem("the pickle takes from its memo what is not there")
        self._push(value)

    def _global(self, name: object) -> None:
        assert isinstance(name, str)
        self._memory.charge_value(name)
        self._make(Global(name))

    def _stack_global(self, argument: object) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise HeaderProblem("a name that is no text")
        self._global(f"{module}.{name}")

    def _persistent(self, argument: object) -> None:
        self._push(self._storages.load(self._pop(), self._memory))

    def _call(self, argument: object) -> None:
        arguments, what = self._pop(), self._pop()
        self._push(torch_globals.call(what, arguments, self._memory))

    def _build(self, argument: object) -> None:
        """The attributes of a state dict, `_metadata` with the versions of its modules, say nothing about tensors."""
        self._pop()
        if not isinstance(self._top(), Mapping):
            raise HeaderProblem(f"needs code to be run: the state of {described(self._top())}")

    def _new(self, arguments: object) -> None:
        assert isinstance(arguments, int)
        for _ in range(arguments):
            self._pop()
        raise HeaderProblem(f"needs code to be run: {described(self._pop())}")

    def _new_marked(self, argument: object) -> None:
        raise HeaderProblem(f"needs code to be run: {described(next(iter(self._to_mark()), None))}")

    def _new_named(self, name: object) -> None:
        raise HeaderProblem(f"needs code to be run: {printable(str(name))}")

    def _extension(self, code: object) -> None:
        raise HeaderProblem(f"needs code to be run: the extension {code}")

    def _frame(self, length: object) -> None:
        """Frames only help to read ahead."""

    def _protocol(self, version: object) -> None:
        raise HeaderProblem("a pickle within the pickle")


_DO: dict[str, Callable[[Machine, object], None]] = {
    "push": Machine._make,
    "mark": Machine._mark,
    "pop": Machine._drop,
    "pop_mark": Machine._drop_to_mark,
    "duplicate": Machine._duplicate,
    "tuple": Machine._tuple,
    "marked_tuple": Machine._marked_tuple,
    "list": Machine._list,
    "append": Machine._append,
    "appends": Machine._appends,
    "mapping": Machine._mapping,
    "set_item": Machine._set_item,
    "set_items": Machine._set_items,
    "set": Machine._set,
    "add_items": Machine._add_items,
    "frozen_set": Machine._frozen_set,
    "put": Machine._put,
    "get": Machine._get,
    "global": Machine._global,
    "stack_global": Machine._stack_global,
    "persistent": Machine._persistent,
    "call": Machine._call,
    "build": Machine._build,
    "new": Machine._new,
    "new_marked": Machine._new_marked,
    "new_named": Machine._new_named,
    "extension": Machine._extension,
    "frame": Machine._frame,
    "protocol": Machine._protocol,
}
