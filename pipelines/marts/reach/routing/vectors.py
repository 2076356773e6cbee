"""Rows of numbers as single values in compiled loops, so that one step serves many origins.

`Bytes` are 64 unsigned bytes, a cache line; `Shorts` are 32 unsigned 16-bit numbers. LLVM turns a
step on them into the widest registers that the machine has. They are read from and written to
addresses, which the kernels keep inside their arrays.

A kernel's cache is renewed when the kernel's own file changes: whoever changes this one has to
touch kernels.py too.
"""

# ruff: noqa: ARG001  # numba reads the names of an operation's arguments
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # ships no types
from numba import types
from numba.extending import intrinsic, models, register_model

_BIT, _SHORT, _WORD = ir.IntType(1), ir.IntType(16), ir.IntType(64)
_BYTES, _SHORTS = ir.VectorType(ir.IntType(8), 64), ir.VectorType(_SHORT, 32)
_TIMES = ir.VectorType(_SHORT, 64)


class _Vector(types.Type):
    """What compiled code keeps in registers; Python never sees it."""


class Bytes(_Vector):
    """64 unsigned bytes."""


class Shorts(_Vector):
    """32 unsigned 16-bit numbers."""


@register_model(Bytes)
class _BytesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Any) -> None:
        super().__init__(manager, vector, _BYTES)  # type: ignore[no-untyped-call]  # numba's


@register_model(Shorts)
class _ShortsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Any) -> None:
        super().__init__(manager, vector, _SHORTS)  # type: ignore[no-untyped-call]  # numba's


_bytes, _shorts = Bytes("bytes64"), Shorts("shorts32")
Built = tuple[Any, Callable[..., Any]]


def _operation(build: Callable[..., Built]) -> Callable[..., Any]:
    """An operation for kernels: its types, and the function that builds its LLVM code."""
    made: Callable[..., Any] = intrinsic(build)
    return made


def _read(builder: Any, address: Any, vector: Any) -> Any:
    return builder.load(builder.inttoptr(address, vector.as_pointer()), align=1)


def _write(builder: Any, address: Any, value: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=1)


def _filled(builder: Any, value: Any, vector: Any) -> Any:
    """A vector of one number."""
    nothing = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.IntType(32)(0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, nothing, order)


@_operation
def bytes_at(_context: Any, address: Any) -> Built:
    """The bytes at an address."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        return _read(builder, arguments[0], _BYTES)

    return _bytes(types.uintp), build


@_operation
def write_bytes(context: Any, address: Any, value: Any) -> Built:
    """Write bytes to an address."""

    def build(context: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        _write(builder, *arguments)
        return context.get_dummy_value()

    return types.void(types.uintp, _bytes), build


@_operation
def higher(_context: Any, one: Any, other: Any) -> Built:
    """The higher byte of each pair."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        return builder.select(builder.icmp_unsigned(">", *arguments), *arguments)

    return _bytes(_bytes, _bytes), build


@_operation
def where_higher(_context: Any, one: Any, other: Any) -> Built:
    """A word whose bits tell which bytes of the one exceed those of the other."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.icmp_unsigned(">", *arguments), _WORD)

    return types.uint64(_bytes, _bytes), build


@_operation
def lower_lanes(
    _context: Any, address: Any, value: Any, lane: Any, arrived: Any, there: Any
) -> Built:
    """Lower 64 shorts at an address to a value, for those whose bytes pass a lane.

    That is where `arrived` is at most the lane and `there` above it.
    """

    def build(context: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        address, value, lane, arrived, there = arguments
        lanes, values = _filled(builder, lane, _BYTES), _filled(builder, value, _TIMES)
        times = _read(builder, address, _TIMES)
        passes = builder.and_(
            builder.icmp_unsigned("<=", arrived, lanes), builder.icmp_unsigned(">", there, lanes)
        )
        lowers = builder.and_(passes, builder.icmp_unsigned("<", values, times))
        _write(builder, address, builder.select(lowers, values, times))
        return context.get_dummy_value()

    return types.void(types.uintp, types.uint16, types.uint8, _bytes, _bytes), build


@_operation
def lowest_bit(_context: Any, word: Any) -> Built:
    """The position of the lowest bit that is set in a word that is not 0."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], _BIT(1))

    return types.int64(types.uint64), build


@_operation
def shorts_at(_context: Any, address: Any) -> Built:
    """The shorts at an address."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        return _read(builder, arguments[0], _SHORTS)

    return _shorts(types.uintp), build


@_operation
def write_shorts(context: Any, address: Any, value: Any) -> Built:
    """Write shorts to an address."""

    def build(context: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        _write(builder, *arguments)
        return context.get_dummy_value()

    return types.void(types.uintp, _shorts), build


@_operation
def all_shorts(_context: Any, value: Any) -> Built:
    """Shorts that are all one number."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        return _filled(builder, arguments[0], _SHORTS)

    return _shorts(types.uint16), build


@_operation
def added(_context: Any, one: Any, other: Any) -> Built:
    """The sum of each pair of shorts."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        return builder.add(*arguments)

    return _shorts(_shorts, _shorts), build


@_operation
def counted(_context: Any, count: Any, value: Any, limit: Any) -> Built:
    """The count, one more where the value does not exceed the limit."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        count, value, limit = arguments
        return builder.sub(count, builder.sext(builder.icmp_unsigned("<=", value, limit), _SHORTS))

    return _shorts(_shorts, _shorts, _shorts), build


@_operation
def added_below(_context: Any, value: Any, more: Any, count: Any, wanted: Any) -> Built:
    """The value, and more added to it where the count is below what is wanted."""

    def build(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
        value, more, count, wanted = arguments
        nothing = ir.Constant(_SHORTS, None)
        short = builder.icmp_unsigned("<", count, wanted)
        return builder.add(value, builder.select(short, more, nothing))

    return _shorts(_shorts, _shorts, _shorts, _shorts), build
