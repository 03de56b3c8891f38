"""What the cost model knows of each GPU.

`sources` names the source of every number, docs/gpus.md shows both. The letters in the comments:
    [W] NVIDIA's architecture whitepapers. [D] data sheets. [G] [T] CUDA C++ Programming Guide 13.0, technical
    specifications and arithmetic throughput. [L] arXiv 2402.13499. [J] arXiv 1903.07486. [P] published times.
    [A] assumed.
"""

from __future__ import annotations

from dataclasses import replace

from sandbox.simulator.gpus.architecture import Architecture, TensorRates

KIB, MIB = 1024, 1024 * 1024


# No tensor cores: f16 on the FP16 units (64 packed multiply-adds), integers by dp4a on the 64 lanes, the rest
# not in the instruction set; single bits by logic and popc [A].
_TURING_WITHOUT = TensorRates(
    f16_f16=128, f16_f32=128, tf32_f32=64, f8_f16=64, f8_f32=64, f64=2, i8=256, i4=256, b1=512
)
# Four tensor cores an SM. GA102: 512 fp16 into fp16, half of that into fp32 on GeForce boards, a quarter for
# tf32, twice for int8, four times for int4 [W: GA102, appendix A: 142, 71, 35.6, 284, 568 TFLOPS of the RTX
# 3090]. float64 runs on its 2 lanes, float8 came with Ada: as f16 [A]. Single bits eight times int8 as in GA100 [A].
_GA102_TENSOR = TensorRates(
    f16_f16=512, f16_f32=256, tf32_f32=128, f8_f16=512, f8_f32=256, f64=2, i8=1024, i4=2048, b1=8192
)
# GA100: 312 TFLOPS of fp16, 156 of tf32, 19.5 of float64, 624 int8, 1,248 int4, 4,992 binary [W].
_GA100_TENSOR = TensorRates(
    f16_f16=1024, f16_f32=1024, tf32_f32=512, f8_f16=1024, f8_f32=1024, f64=64, i8=2048, i4=4096, b1=16384
)
# AD102: 330 TFLOPS of fp16 into fp16, 165 into fp32, 82.6 of tf32, 660 and 330 of fp8, 660 int8, 1,321 int4
# [W: Ada, appendix A, RTX 4090]. float64 and single bits as GA102.
_AD102_TENSOR = TensorRates(
    f16_f16=512, f16_f32=256, tf32_f32=128, f8_f16=1024, f8_f32=512, f64=2, i8=1024, i4=2048, b1=8192
)
# GH100: 2,048 of fp16, 1,024 of tf32, 4,096 of int8, 128 of float64 (67 TFLOPS) [W]. mma.sync reaches 62
# percent of these [L]; only wgmma reaches all. float64 has no wgmma, so all of it [A]. float8 as f16, for
# its full rate is wgmma's [A]; int4 is integer multiplication on the lanes [L]; single bits as GA100 [A].
_GH100_TENSOR = TensorRates(
    f16_f16=1270, f16_f32=1270, tf32_f32=635, f8_f16=1270, f8_f32=1270, f64=128, i8=2540, i4=64, b1=16384
)

# TU116: 22 SMs, 1,785 MHz boost, 192-bit GDDR6 at 14 Gbit/s [D]; 1.5 MB L2 [W, TU116 section of the GTX 1660
# Ti review guide]. 64 KB shared memory of 96 KB L1, 1,024 threads, 16 blocks [G]. Lanes [T] column 7.5.
# TU116 has no tensor cores: mma runs on its FP16 units, 128 a clock [A]. L2 bandwidth [A]: the T4's 1,024 B
# a clock [J] scaled by the width of the memory bus. Latencies [J]: 32, 188, 296, and 19 for shared memory.
_GTX1660S = Architecture(
    name="gtx1660s",
    compute="sm_75",
    multiprocessors=22,
    clock_mhz=1785,
    dram_gbps=336.0,
    l2_bytes=1536 * KIB,
    l2_bytes_per_clock=768,
    fp32_lanes=64,
    int_lanes=64,
    fp64_lanes=2,
    fp16_lanes=128,
    xu_lanes=16,
    tensor=_TURING_WITHOUT,
    l1_bytes=96 * KIB,
    shared_per_sm=64 * KIB,
    shared_per_block=64 * KIB,
    l1_latency=32.0,
    l2_latency=188.0,
    dram_latency=296.0,
    shared_latency=19.0,
    shared_bytes_per_clock=64,
    lsu_lanes=16,
    shared_reserved=0,
    shared_unit=256,
    threads_per_sm=1024,
    blocks_per_sm=16,
)

# GA102 as the RTX 3090 Ti: 84 SMs, 1,860 MHz boost, 384-bit GDDR6X at 21 Gbit/s [D]; 6 MB L2, 512 dense fp16
# multiply-adds an SM [W]. 100 KB of 128 KB L1, 1,536 threads, 16 blocks [G]. Lanes [T] column 8.6. Latencies
# [A]: those of the A100 in L1 and shared memory [L], of the RTX 4090 beyond (both have GDDR6X). L2 bandwidth
# [A]: 2,048 B a clock, in the range of published measurements of 3 to 4 TB/s.
_RTX3090TI = Architecture(
    name="rtx3090ti",
    compute="sm_86",
    multiprocessors=84,
    clock_mhz=1860,
    dram_gbps=1008.0,
    l2_bytes=6 * MIB,
    l2_bytes_per_clock=2048,
    fp32_lanes=128,
    int_lanes=64,
    fp64_lanes=2,
    fp16_lanes=128,
    xu_lanes=16,
    tensor=_GA102_TENSOR,
    l1_bytes=128 * KIB,
    shared_per_sm=100 * KIB,
    shared_per_block=99 * KIB,
    l1_latency=37.9,
    l2_latency=261.5,
    dram_latency=541.5,
    shared_latency=29.0,
    lsu_lanes=16,
    threads_per_sm=1536,
    blocks_per_sm=16,
)

# GA100 as the A100 SXM 80 GB: 108 SMs, 1,410 MHz boost, 2,039 GB/s [D]; 40 MB L2 with 5,120 B a clock, 1,024
# dense fp16 multiply-adds an SM [W]. 164 KB of 192 KB L1 [G]. Lanes [T] column 8.0. Latencies [L].
_A100 = Architecture(
    name="a100",
    compute="sm_80",
    multiprocessors=108,
    clock_mhz=1410,
    dram_gbps=2039.0,
    l2_bytes=40 * MIB,
    l2_bytes_per_clock=5120,
    fp32_lanes=64,
    int_lanes=64,
    fp64_lanes=32,
    fp16_lanes=256,
    xu_lanes=16,
    tensor=_GA100_TENSOR,
    l1_bytes=192 * KIB,
    shared_per_sm=164 * KIB,
    shared_per_block=163 * KIB,
    l1_latency=37.9,
    l2_latency=261.5,
    dram_latency=466.3,
    shared_latency=29.0,
)

# AD102 as the RTX 4090: 128 SMs, 2,520 MHz boost, 384-bit GDDR6X at 21 Gbit/s, 72 MB L2, 512 dense fp16
# multiply-adds an SM [W]. 100 KB of 128 KB L1, 1,536 threads, 24 blocks [G]. Lanes [T] column 8.9. Latencies
# [L]. L2 bandwidth [A]: 2,048 B a clock; published measurements lie near 5 TB/s.
_RTX4090 = Architecture(
    name="rtx4090",
    compute="sm_89",
    multiprocessors=128,
    clock_mhz=2520,
    dram_gbps=1008.0,
    l2_bytes=72 * MIB,
    l2_bytes_per_clock=2048,
    fp32_lanes=128,
    int_lanes=64,
    fp64_lanes=2,
    fp16_lanes=128,
    xu_lanes=16,
    tensor=_AD102_TENSOR,
    l1_bytes=128 * KIB,
    shared_per_sm=100 * KIB,
    shared_per_block=99 * KIB,
    l1_latency=43.4,
    l2_latency=273.0,
    dram_latency=541.5,
    shared_latency=30.1,
    lsu_lanes=16,
    threads_per_sm=1536,
    blocks_per_sm=24,
)

# GH100 as the H100 SXM: 132 SMs, 1,980 MHz boost (67 TFLOPS of fp32), 3,350 GB/s [D]; 50 MB L2 [W]. 228 KB
# of 256 KB L1 [G]. Lanes [T] column 9.0. Latencies [L]. The tensor cores do 2,048 dense fp16 multiply-adds
# an SM [W], of which mma.sync reaches about 62 percent [L]; only wgmma reaches all.
# L2 bandwidth [A]: 2,816 B a clock; published measurements lie near 5.5 TB/s.
_H100 = Architecture(
    name="h100",
    compute="sm_90",
    multiprocessors=132,
    clock_mhz=1980,
    dram_gbps=3350.0,
    l2_bytes=50 * MIB,
    l2_bytes_per_clock=2816,
    fp32_lanes=128,
    int_lanes=64,
    fp64_lanes=64,
    fp16_lanes=256,
    xu_lanes=16,
    tensor=_GH100_TENSOR,
    l1_bytes=256 * KIB,
    shared_per_sm=228 * KIB,
    shared_per_block=227 * KIB,
    l1_latency=40.7,
    l2_latency=263.0,
    dram_latency=478.8,
    shared_latency=29.0,
)

# H200: the H100 SXM's chip with 4,800 GB/s of HBM3e [D]. Latencies [A]: the H100's [L].
_H200 = replace(_H100, name="h200", dram_gbps=4800.0)

# GA102 as the RTX A6000: 84 SMs, 1,800 MHz boost, 384-bit GDDR6 at 16 Gbit/s [D]. Professional boards sum fp16
# products in fp32 at the full rate: 154.8 TFLOPS dense, 77.4 of tf32 [W: GA102].
_A6000 = replace(
    _RTX3090TI,
    name="a6000",
    clock_mhz=1800,
    dram_gbps=768.0,
    tensor=replace(_GA102_TENSOR, f16_f32=512, tf32_f32=256, f8_f32=512),
)

# AD104 as the L4: 58 SMs, 2,040 MHz boost (30.3 TFLOPS of fp32), 300 GB/s, 48 MB L2 [D]. 121 TFLOPS of fp16 into
# fp32, 60 of tf32, 242 of fp8 and int8, dense [D]. L2 bandwidth [A]: the RTX 4090's by SMs.
_L4 = replace(
    _RTX4090,
    name="l4",
    multiprocessors=58,
    clock_mhz=2040,
    dram_gbps=300.0,
    l2_bytes=48 * MIB,
    l2_bytes_per_clock=928,
    tensor=replace(_AD102_TENSOR, f16_f32=512, tf32_f32=256, f8_f32=1024),
)

# AD102 as the L20: 92 SMs, 2,520 MHz boost (59.8 TFLOPS of fp32), 864 GB/s, 96 MB L2 [D]. Tensor cores at half rate:
# 119.5 TFLOPS of fp16, 59.8 of tf32, 239 of fp8 and int8, dense [D]. L2 bandwidth [P].
_L20 = replace(
    _RTX4090,
    name="l20",
    multiprocessors=92,
    dram_gbps=864.0,
    l2_bytes=96 * MIB,
    l2_bytes_per_clock=2350,
    tensor=replace(_AD102_TENSOR, f16_f16=256, f8_f16=512, i8=512, i4=1024, b1=4096),
)

# AD102 as the L40S: 142 SMs, 2,520 MHz boost (91.6 TFLOPS of fp32), 864 GB/s, 96 MB L2 [D]. 362 TFLOPS of fp16 into
# fp32, 183 of tf32, 733 of fp8 and int8, dense [D]. L2 bandwidth [A]: the L20's, whose L2 is as large.
_L40S = replace(
    _RTX4090,
    name="l40s",
    multiprocessors=142,
    dram_gbps=864.0,
    l2_bytes=96 * MIB,
    l2_bytes_per_clock=2350,
    tensor=replace(_AD102_TENSOR, f16_f32=512, tf32_f32=256, f8_f32=1024),
)

# GB202 as the RTX 5090: 170 SMs, 2,407 MHz boost, 512-bit GDDR7 at 28 Gbit/s, 96 MB L2, 128 lanes for float32 or
# int32; 419 TFLOPS of fp16 into fp16, 209.5 into fp32, 104.8 of tf32, 838 and 419 of fp8, 838 int8, dense [W:
# Blackwell]. 100 KB of 128 KB L1, 1,536 threads, 24 blocks [G]. int4 and single bits on the lanes [A]. Latencies [A]:
# the RTX 4090's. L2 bandwidth [A]: the RTX 4090's by SMs.
_RTX5090 = replace(
    _RTX4090,
    name="rtx5090",
    compute="sm_120",
    multiprocessors=170,
    clock_mhz=2407,
    dram_gbps=1792.0,
    l2_bytes=96 * MIB,
    l2_bytes_per_clock=2720,
    int_lanes=128,
    tensor=replace(_AD102_TENSOR, i4=128, b1=1024),
)

# B200: 148 SMs, 1,965 MHz boost, 8,000 GB/s of HBM3e, 126 MB L2 [D]. 228 KB of 256 KB L1 [G]. mma.sync is not how
# its tensor cores reach their rates, which need tcgen05: the H100's rates of mma.sync stand for it [A]. Latencies
# [A]: the H100's. L2 bandwidth [A]: that of two H100, for it is two dies.
_B200 = replace(
    _H100,
    name="b200",
    compute="sm_100",
    multiprocessors=148,
    clock_mhz=1965,
    dram_gbps=8000.0,
    l2_bytes=126 * MIB,
    l2_bytes_per_clock=5632,
)

ARCHITECTURES: dict[str, Architecture] = {
    one.name: one
    for one in (
        _H200,
        _H100,
        _B200,
        _A100,
        _RTX5090,
        _RTX4090,
        _L40S,
        _L20,
        _L4,
        _RTX3090TI,
        _A6000,
        _GTX1660S,
    )
}
"""Every simulated GPU by name."""
