"""Where each number of `architectures` comes from."""

from __future__ import annotations

from sandbox.simulator.gpus.architecture import Architecture

CITATIONS = {
    "W": "NVIDIA's architecture whitepaper: Turing (2018), A100 (2020), GA102 (2021), Ada (2022), H100 (2022),"
    " RTX Blackwell (2025)",
    "D": "NVIDIA's data sheet or product page of that GPU",
    "G": 'CUDA C++ Programming Guide 13.0, "Compute Capabilities", technical specifications',
    "T": 'CUDA C++ Programming Guide 13.0, "Throughput of Native Arithmetic Instructions"',
    "O": "cuda_occupancy.h of CUDA 13.0, NVIDIA's occupancy calculator",
    "L": "Luo et al., Benchmarking and Dissecting the Nvidia Hopper GPU Architecture, arXiv 2402.13499",
    "J": "Jia et al., Dissecting the NVidia Turing T4 GPU via Microbenchmarking, arXiv 1903.07486",
    "P": "times that others published: benchmarks/published",
    "A": "assumed: no source states it",
}

_ALL = {
    "compute": "D",
    "multiprocessors": "W",
    "clock_mhz": "D",
    "dram_gbps": "D",
    "l2_bytes": "W",
    "l2_bytes_per_clock": "A",
    "fp32_lanes": "T",
    "int_lanes": "T",
    "fp64_lanes": "T",
    "fp16_lanes": "T",
    "xu_lanes": "T",
    "tensor": "W",
    "l1_bytes": "G",
    "shared_per_sm": "G",
    "shared_per_block": "G",
    "shared_bytes_per_clock": "G: 32 banks of four bytes",
    "lsu_lanes": "W: four or eight load/store units in each quarter of an SM",
    "shared_reserved": "O",
    "shared_unit": "O",
    "registers_per_sm": "G",
    "threads_per_sm": "G",
    "blocks_per_sm": "G",
    "l1_latency": "L",
    "l2_latency": "L",
    "dram_latency": "L",
    "shared_latency": "L",
    "launch_us": "A: back-to-back launches of an empty kernel take about two",
}
_LATENCIES = ("l1_latency", "l2_latency", "dram_latency", "shared_latency")
_OWN: dict[str, dict[str, str]] = {
    "gtx1660s": {name: "J, of the T4" for name in _LATENCIES}
    | {
        "multiprocessors": "D",
        "l2_bytes": "D",
        "l2_bytes_per_clock": "A: the T4's 1,024 [J] by the width of the memory bus",
        "tensor": "A: no tensor cores, so the FP16 units and dp4a",
        "shared_bytes_per_clock": "J: 16 load/store units",
    },
    "rtx3090ti": {name: "A: the A100's [L]" for name in ("l1_latency", "shared_latency")}
    | {name: "A: near the A100's and the RTX 4090's [L]" for name in ("l2_latency", "dram_latency")}
    | {"l2_bytes_per_clock": "A: measurements of others lie between 3 and 4 TB/s"},
    "a100": {"l2_bytes_per_clock": "W"},
    "rtx4090": {"l2_bytes_per_clock": "A: measurements of others lie near 5 TB/s"},
    "h100": {
        "l2_bytes_per_clock": "A: measurements of others lie near 5.5 TB/s",
        "tensor": "W, by the 62 percent that mma.sync reaches [L]",
    },
    "a6000": {name: "A: the A100's [L]" for name in ("l1_latency", "shared_latency")}
    | {name: "A: near the A100's and the RTX 4090's [L]" for name in ("l2_latency", "dram_latency")}
    | {"multiprocessors": "D", "l2_bytes_per_clock": "A: the RTX 3090 Ti's"},
    "l4": {name: "A: the RTX 4090's [L]" for name in _LATENCIES}
    | {
        "multiprocessors": "D",
        "l2_bytes": "D",
        "tensor": "D",
        "l2_bytes_per_clock": "A: the RTX 4090's by SMs",
    },
    "l20": {name: "A: the RTX 4090's [L]" for name in _LATENCIES}
    | {
        "multiprocessors": "D",
        "l2_bytes": "D",
        "tensor": "D",
        "l2_bytes_per_clock": "P: 50 MB in 10.7 us and 25 MB in 6.1 us",
    },
    "l40s": {name: "A: the RTX 4090's [L]" for name in _LATENCIES}
    | {"multiprocessors": "D", "l2_bytes": "D", "tensor": "D", "l2_bytes_per_clock": "A: the L20's"},
    "rtx5090": {name: "A: the RTX 4090's [L]" for name in _LATENCIES}
    | {
        "int_lanes": "W",
        "l2_bytes_per_clock": "A: the RTX 4090's by SMs",
        "tensor": "W: int4 and single bits assumed to run on the lanes",
    },
    "b200": {name: "A: the H100's [L]" for name in _LATENCIES}
    | {
        "multiprocessors": "D",
        "l2_bytes": "D",
        "l2_bytes_per_clock": "A: two dies of the H100's",
        "tensor": "A: the H100's rates of mma.sync; tcgen05 is not simulated",
    },
    "h200": {name: "L, of the H100" for name in _LATENCIES}
    | {
        "multiprocessors": "D",
        "l2_bytes": "A: the H100's",
        "l2_bytes_per_clock": "A: the H100's",
        "tensor": "W, by the 62 percent that mma.sync reaches [L]",
    },
}


def source(architecture: Architecture, name: str) -> str:
    """The source of one attribute: a letter of `CITATIONS`, and what more there is to say.

    Raises:
        KeyError: None is named.
    """
    return _OWN.get(architecture.name, {}).get(name) or _ALL[name]
