"""Steps compiled to machine code: the same function goes through a whole history or one bar further, and many are run in one call."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from barsmith.compiled import njit

#: A record's first numbers: the state's address and length, the params' address. The addresses of inputs, then of outputs follow.
HEAD = 3
#: Compiled in half the time, to be called from compiled code only.
UNWRAPPED = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class CompiledStep:
    """`step(state, params, *x)` compiled as a loop over rows, once for each number of params.

    A history is many rows and a live bar is one, so that a column and its continuation are made by the same instructions.
    """

    def __init__(self, step: Callable[..., Any], outputs: int, *, is_cached: bool) -> None:
        self.python, self.outputs, self.is_cached = step, outputs, is_cached
        self.inputs = step.__code__.co_argcount - 2
        self.step = njit(step, cache=is_cached, **UNWRAPPED)
        self.loops: dict[int, tuple[Any, int]] = {}

    def address(self, params: int) -> int:
        """Where the machine code for so many params lies; compiled when first asked for."""
        if params not in self.loops:
            name = f"rows_of_{self.python.__name__}_{params}"
            scope = {"step": self.step, "__name__": self.python.__module__, **PARTS}  # Numba's cache needs a module and a file
            exec(compile(self.source(name, params), self.python.__code__.co_filename, "exec"), scope)  # noqa: S102 the source is below
            loop = njit(scope[name], cache=self.is_cached, **UNWRAPPED)
            with collecting_no_garbage():
                loop.compile((types.int64, types.int64))
            (compiled,) = loop.overloads.values()
            self.loops[params] = loop, compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
        return self.loops[params][1]

    def source(self, name: str, params: int) -> str:
        operands = [f"x{i}" for i in range(self.inputs)] + [f"y{i}" for i in range(self.outputs)]
        found = ", ".join(f"found{i}" for i in range(self.outputs))
        lines = [
            "state = carray(pointer(integer(record, 0)), integer(record, 1))",
            "given = integer(record, 2)",
            f"params = ({''.join(f'number(given, {i}), ' for i in range(params))})",
            *(f"{operand} = integer(record, {HEAD + i})" for i, operand in enumerate(operands)),
            "for i in range(rows):",
            f"    {found} = step(state, params, {', '.join(f'number(x{i}, i)' for i in range(self.inputs))})",
            *(f"    put(y{i}, i, found{i})" for i in range(self.outputs)),
        ]
        return f"def {name}(record, rows):\n    " + "\n    ".join(lines)


class Running:
    """A step and its state in the midst of a series: `over` columns it gives columns, called with the next numbers the next values.

    It knows its operands by address: whoever aims it keeps those arrays for as long as it runs.
    """

    def __init__(self, compiled: CompiledStep, state: np.ndarray, params: Iterable[float] = ()) -> None:
        self.compiled, self.state, self.params = compiled, state, np.array([*params], np.float64)
        self.function = compiled.address(len(self.params))
        self.record = np.zeros(HEAD + compiled.inputs + compiled.outputs, np.int64)
        self.record[:HEAD] = state.ctypes.data, len(state), self.params.ctypes.data

    def aim(self, operands: Iterable[int]) -> None:
        """operands: the addresses of its inputs, then of its outputs."""
        self.record[HEAD:] = [*operands]

    def over(self, *history: Any) -> Any:
        """Its column, or a tuple of as many as it has outputs. history: (n,) columns, a number for one that is everywhere the same."""
        inputs = [np.asarray(x, np.float64, order="C") for x in history]
        shapes = {x.shape for x in inputs if x.ndim}
        if len(inputs) != self.compiled.inputs or len(shapes) != 1 or len(shape := shapes.pop()) != 1:
            raise ValueError(f"{self.compiled.python.__name__} takes {self.compiled.inputs} columns of numbers, of one length")
        inputs = [x if x.ndim else np.full(shape, x) for x in inputs]
        columns = tuple(np.empty(shape) for _ in range(self.compiled.outputs))
        self.aim(x.ctypes.data for x in (*inputs, *columns))
        run(np.array([self.function]), np.array([self.record.ctypes.data]), shape[0])
        return columns if len(columns) > 1 else columns[0]

    def __call__(self, *values: float) -> Any:
        found = self.over(*([value] for value in values))
        return tuple(float(each[0]) for each in found) if isinstance(found, tuple) else float(found[0])


@contextmanager
def collecting_no_garbage() -> Iterator[None]:
    """A compiler makes millions of objects; looking for garbage among them takes a tenth of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@intrinsic
def pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """An address as a pointer to float64."""

    def lowered(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float64)(types.int64), lowered


def reading(kind: types.Type) -> Any:
    """`(address, i) -> the i-th number of a kind from there`: an array with neither shape nor bounds, compiled in no time."""

    @intrinsic
    def read(typing_context, address, i):  # type: ignore[no-untyped-def]
        def lowered(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return builder.load(place(context, builder, kind, args))

        return kind(types.int64, types.int64), lowered

    return read


@intrinsic
def put(typing_context, address, i, value):  # type: ignore[no-untyped-def]
    def lowered(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.store(args[2], place(context, builder, types.float64, args))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.float64), lowered


def place(context: Any, builder: Any, kind: types.Type, args: Any) -> Any:
    start = builder.inttoptr(args[0], context.get_value_type(kind).as_pointer())
    return builder.gep(start, [args[1]])


PARTS = {"carray": carray, "pointer": pointer, "number": reading(types.float64), "integer": reading(types.int64), "put": put}


@intrinsic
def call(typing_context, function, record, rows):  # type: ignore[no-untyped-def]
    """Call the loop at an address, as Numba calls its first-class functions: what it raises is raised on."""

    def lowered(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kinds, convention = signature.args[1:], context.call_conv
        callee = builder.inttoptr(args[0], convention.get_function_type(types.none, kinds).as_pointer())
        status, _ = convention.call_function(builder, callee, types.none, kinds, args[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), lowered


@njit
def run(functions: np.ndarray, records: np.ndarray, rows: int) -> None:
    """Each step in turn over so many rows. functions, records: (k,) int64 addresses."""
    for i in range(len(functions)):
        call(functions[i], records[i], rows)  # type: ignore[call-arg]
