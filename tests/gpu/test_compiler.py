"""The figures of compiled programs, against programs whose figures are known."""

import jax
import jax.numpy as jnp
import pytest

from constellation_jax.benchmark.compiled.cards import CARDS
from constellation_jax.benchmark.compiled.compiler import CompiledProgram, compile_for
from constellation_jax.benchmark.compiled.ptx import find_assembler, read_kernel
from constellation_jax.benchmark.compiled.table import describe_kernels

WIDTH = 1 << 20
FLOATS = jax.ShapeDtypeStruct((WIDTH,), jnp.float32)
H100 = CARDS["H100"]


def test_one_kernel_reads_and_writes_each_value_once() -> None:
    found = compile_for(H100, lambda x: 2.0 * x + 1.0, (FLOATS,))
    assert (found.kernels, found.loops, found.spills, found.float64) == (1, [], 0, 0)
    assert found.moved == 2 * 4 * WIDTH
    # a load and a store, one fused multiply-add and the address of each thread's values
    assert 2 < found.instructions / WIDTH < 20
    assert found.seconds == pytest.approx(found.moved / H100.bandwidth)


def test_of_an_argument_that_is_sliced_only_the_slice_counts() -> None:
    packed = jax.ShapeDtypeStruct((32, WIDTH), jnp.float32)
    found = compile_for(H100, lambda rows: rows[3] * rows[20], (packed,))
    assert found.moved == 3 * 4 * WIDTH


def test_of_an_array_that_is_updated_in_place_only_the_update_counts() -> None:
    def update(rows: jax.Array, k: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 5, lambda i, rows: rows.at[k + i].set(2.0 * rows[k]), rows)

    rows = jax.ShapeDtypeStruct((32, WIDTH), jnp.float32)
    found = compile_for(H100, update, (rows, jax.ShapeDtypeStruct((), jnp.int32)))
    # a few rows in each of five passes (one is read and one written, by one kernel or two), beside one copy of the argument;
    # the whole array would be 64 rows
    inside = found.moved - 2 * 4 * 32 * WIDTH
    assert 5 * 2 * 4 * WIDTH <= inside < 5 * 6 * 4 * WIDTH


def _powers(x: jax.Array, passes: jax.Array | int) -> jax.Array:
    return jax.lax.fori_loop(0, passes, lambda _, x: jnp.cumsum(x) * x, x)


def test_loops_of_known_and_of_unknown_length_are_told_apart() -> None:
    known = compile_for(H100, lambda x: _powers(x, 7), (FLOATS,))
    assert [loop.trips for loop in known.loops] == [7]
    assert known.unknown_loops == 0
    unknown = compile_for(H100, _powers, (FLOATS, jax.ShapeDtypeStruct((), jnp.int32)))
    assert unknown.unknown_loops == 1
    assert unknown.kernels_in_loops >= known.kernels_in_loops > 0
    assert f" + 7 x {known.kernels_in_loops}" in describe_kernels(known.program)


def test_loops_inside_loops_multiply() -> None:
    def nested(x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 5, lambda _, x: _powers(x, 3) + 1.0, x)

    found = compile_for(H100, nested, (FLOATS,))
    assert [loop.trips for loop in found.loops] == [5, 3]
    inner = found.loops[1].body
    assert found.moved >= 15 * inner.moved > 0


def test_float64_and_its_cost_are_seen() -> None:
    def wide(x: jax.Array) -> jax.Array:
        return jnp.exp(x.astype(jnp.float64)).astype(jnp.float32)

    found = {key: compile_for(card, wide, (FLOATS,)) for key, card in CARDS.items()}
    assert all(one.float64 > 0 for one in found.values())
    # a T4 has a thirty-second of its float32 units for float64
    assert _issue_bound(found["T4"])
    assert not _issue_bound(found["H100"])


def _issue_bound(found: CompiledProgram) -> bool:
    return found.seconds > 1.01 * found.moved / found.card.bandwidth


def _kernel(values: int, most_registers: int) -> str:
    """PTX of a kernel that holds many values at once, with a loop that it enters only where the first is negative."""
    names = range(values)
    return "\n".join(
        [
            ".version 8.0",
            ".target sm_90",
            ".address_size 64",
            ".visible .entry sums(.param .u64 place)",
            f".maxnreg {most_registers}",
            "{",
            f"\t.reg .f32 %f<{values + 1}>;",
            "\t.reg .pred %p<2>;",
            "\t.reg .b64 %rd<2>;",
            "\tld.param.u64 \t%rd1, [place];",
            *(f"\tld.volatile.global.f32 \t%f{k}, [%rd1+{4 * k}];" for k in names),
            "\tsetp.ge.f32 \t%p1, %f0, 0f00000000;",
            "\t@%p1 bra \t$over;",
            "$loop:",
            "\tadd.f32 \t%f0, %f0, %f1;",
            "\tsetp.lt.f32 \t%p1, %f0, 0f00000000;",
            "\t@%p1 bra \t$loop;",
            "$over:",
            *(f"\tst.volatile.global.f32 \t[%rd1+{4 * k}], %f{values - 1 - k};" for k in names),
            "\tret;",
            "}",
        ]
    )


def test_spills_and_the_way_past_a_rare_loop_are_seen() -> None:
    assembler = find_assembler()
    assert assembler is not None
    roomy, narrow = (read_kernel(_kernel(64, most), assembler) for most in (128, 32))
    assert roomy is not None
    assert narrow is not None
    assert (roomy.spills, roomy.float64) == (0, 0)
    assert narrow.registers <= 32
    assert narrow.spills > 0
    # the loads and stores, the parameter, the comparison, the jump and the return, without the loop's three
    assert roomy.instructions == 2 * 64 + 4
