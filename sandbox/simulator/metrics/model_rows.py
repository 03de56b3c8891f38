"""Metrics that come out of the cost model and the cache model: always estimates."""

from __future__ import annotations

from sandbox.simulator.cost.coalescing import SECTOR
from sandbox.simulator.metrics.row import CountedLaunch, Row


def _l1_hit_rate(launch: CountedLaunch) -> float | None:
    loads = launch.sites("global", "load")
    sectors = sum(site.sectors for site in loads)
    return 100 * max(0.0, 1 - sum(site.misses for site in loads) / sectors) if sectors else None


def _l2_hit_rate(launch: CountedLaunch) -> float | None:
    moved = launch.result.traffic
    through = moved.l2_read + moved.l2_write
    return 100 * max(0.0, 1 - moved.dram / through) if through else None


def _dram_share(launch: CountedLaunch) -> float:
    peak = launch.architecture.dram_gbps * 1e3 * launch.result.latency_us
    return min(100.0, 100 * launch.result.traffic.dram / peak)


MODEL_ROWS = (
    Row(
        "gpu__time_duration.sum",
        "us",
        "The cost model's latency of the launch, launch cost included (docs/cost-model.md).",
        lambda launch: launch.result.latency_us,
        "model",
    ),
    Row(
        "dram__throughput.avg.pct_of_peak_sustained_elapsed",
        "%",
        "DRAM bytes over peak bandwidth times latency.",
        _dram_share,
        "model",
    ),
    Row(
        "dram__bytes_read.sum",
        "byte",
        "Sectors that global loads touch, once; more where they are shared between blocks and do not fit L2.",
        lambda launch: launch.result.traffic.dram_read,
        "model",
    ),
    Row(
        "dram__bytes_write.sum",
        "byte",
        "The same of stores and atomics.",
        lambda launch: launch.result.traffic.dram_write,
        "model",
    ),
    Row(
        "lts__t_bytes.sum",
        "byte",
        "Sectors of loads that miss L1, and all of stores and atomics, times 32.",
        lambda launch: launch.result.traffic.l2_read + launch.result.traffic.l2_write,
        "model",
    ),
    Row(
        "lts__t_sectors_op_read.sum",
        "sector",
        "Those of loads.",
        lambda launch: launch.result.traffic.l2_read / SECTOR,
        "model",
    ),
    Row(
        "lts__t_sector_hit_rate.pct",
        "%",
        "Bytes that L2 serves without DRAM over its bytes; L2 is empty as the launch starts.",
        _l2_hit_rate,
        "model",
    ),
    Row(
        "l1tex__t_sector_pipe_lsu_mem_global_op_ld_hit_rate.pct",
        "%",
        "Sectors of global loads that the block's share of L1 held (an LRU window, empty as the block starts).",
        _l1_hit_rate,
        "model",
    ),
)
