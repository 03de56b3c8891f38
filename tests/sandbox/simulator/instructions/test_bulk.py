"""Bulk copies: right results, and every way to touch either side of one too early."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.verdict import Verdict

X = np.random.default_rng(5).standard_normal(1024).astype(np.float32)
HEAD = """typedef unsigned long long u64;
__device__ unsigned at(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void expect(u64* b, unsigned n) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(at(b)), "r"(n) : "memory"); }
__device__ void load(void* to, const void* from, unsigned n, u64* b) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
    :: "r"(at(to)), "l"(from), "r"(n), "r"(at(b)) : "memory"); }
__device__ void wait(u64* b, unsigned parity) { unsigned done; do asm volatile("{ .reg .pred p;"
  " mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
  : "=r"(done) : "r"(at(b)), "r"(parity) : "memory"); while (!done); }
__device__ void store(void* to, const void* from, unsigned n) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;"
    :: "l"(to), "r"(at(from)), "r"(n) : "memory"); }
__device__ void seen() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
__device__ void commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
__device__ void drain() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }
extern "C" __global__ void k(const float* x, float* scratch, float* y) {
  __shared__ alignas(128) float s[2][128]; __shared__ u64 b[2]; int t = threadIdx.x;
  if (t < 2) asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" :: "r"(at(b + t)));
  __syncthreads();
"""
IN = "if (t == 0) { expect(&b[0], 512); load(s[0], x, 512, &b[0]); }\n"
OUT = "y[t] = s[0][127 - t]; }"
BACK = "s[1][t] = x[t]; seen(); __syncthreads(); if (t == 0) { store(y, s[1], 512); commit(); %s } __syncthreads();\n s[1][t] = 2; }"
HONEST = {
    "everyone waits": IN + "wait(&b[0], 0); " + OUT,
    "one thread waits, then a barrier": IN + "if (t == 0) wait(&b[0], 0); __syncthreads(); " + OUT,
    "in pieces of several threads": "if (t == 0) expect(&b[0], 512); __syncthreads();\n"
    "if (t < 4) load(s[0] + 32 * t, x + 32 * t, 128, &b[0]); wait(&b[0], 0); " + OUT,
    "the bytes are expected after the copy": "if (t == 0) { load(s[0], x, 512, &b[0]); expect(&b[0], 512); }"
    " wait(&b[0], 0); " + OUT,
    "two phases": IN + "wait(&b[0], 0); float v = s[0][t]; __syncthreads();\n"
    "if (t == 0) { expect(&b[0], 512); load(s[0], x, 512, &b[0]); } wait(&b[0], 1); if (v == 0.5f) return; "
    + OUT,
}
MISTAKES = {
    "nobody waits": (IN + OUT, Verdict.RACE),
    "a barrier instead of a wait": (IN + "__syncthreads(); " + OUT, Verdict.RACE),
    "one thread waits alone": (IN + "if (t == 0) wait(&b[0], 0); " + OUT, Verdict.RACE),
    "no bytes are expected": (
        "if (t == 0) { expect(&b[0], 0); load(s[0], x, 512, &b[0]); } wait(&b[0], 0); " + OUT,
        Verdict.RACE,
    ),
    "more bytes are expected than come": (
        "if (t == 0) { expect(&b[0], 528); load(s[0], x, 512, &b[0]); } wait(&b[0], 0); " + OUT,
        Verdict.TIMEOUT,
    ),
    "others still read the place": (
        IN + "wait(&b[0], 0); float v = s[0][127 - t];\n"
        "if (t == 0) { expect(&b[0], 512); load(s[0], x, 512, &b[0]); } wait(&b[0], 1); y[t] = v; }",
        Verdict.RACE,
    ),
    "the source is written meanwhile": (
        "if (t == 0) { for (int i = 0; i < 128; i++) scratch[i] = 1; expect(&b[0], 512);\n"
        "load(s[0], scratch, 512, &b[0]); scratch[5] = 2; } wait(&b[0], 0); " + OUT,
        Verdict.RACE,
    ),
    "a size that is no multiple of 16": (
        "if (t == 0) { expect(&b[0], 500); load(s[0], x, 500, &b[0]); } wait(&b[0], 0); " + OUT,
        Verdict.MEMORY_FAULT,
    ),
    "beyond the end of the input": (
        "if (t == 0) { expect(&b[0], 512); load(s[0], x + 1020, 512, &b[0]); } wait(&b[0], 0); " + OUT,
        Verdict.MEMORY_FAULT,
    ),
    "a source that is not aligned": (
        "if (t == 0) { expect(&b[0], 512); load(s[0], x + 1, 512, &b[0]); } wait(&b[0], 0); " + OUT,
        Verdict.MEMORY_FAULT,
    ),
    "no mbarrier there": (
        "s[1][t] = 1; __syncthreads();\n if (t == 0) load(s[0], x, 512, (u64*)s[1]); " + OUT,
        Verdict.MEMORY_FAULT,
    ),
    "overwritten before it is stored": (BACK % "", Verdict.RACE),
    "stored before others have written": (
        "s[1][t] = x[t]; if (t == 0) { store(y, s[1], 512); commit(); drain(); } }",
        Verdict.RACE,
    ),
}


def arguments(n: int = 1024) -> dict[str, object]:
    return {"x": X[:n], "scratch": ("float32", 128), "y": ("float32", 128)}


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.parametrize("poison", [1, 2])
def test_what_is_waited_for_is_there(cuda, name, poison):
    result = cuda(HEAD + HONEST[name]).run(1, 128, arguments(), poison=poison)
    assert result.fault is None, result.fault
    assert np.array_equal(result.outputs["y"], X[:128][::-1])


def test_what_is_stored_arrives_and_its_place_is_free_after_the_wait(cuda):
    result = cuda(HEAD + BACK % "drain();").run(1, 128, arguments())
    assert result.fault is None, result.fault
    assert np.array_equal(result.outputs["y"], X[:128])


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_with_a_bulk_copy_is_found(cuda, name):
    body, verdict = MISTAKES[name]
    fault = cuda(HEAD + body).run(1, 128, arguments()).fault
    assert fault is not None
    assert fault.verdict is verdict, fault
    assert fault.line is not None
