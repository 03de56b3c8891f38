"""Metrics of the memory instructions: sectors, wavefronts, bank conflicts, atomics."""

from __future__ import annotations

from sandbox.simulator.cost.coalescing import SECTOR
from sandbox.simulator.cost.local import local_requests
from sandbox.simulator.metrics.row import CountedLaunch, Number, Row, Value

_ACCESSES = {
    "ld": ("global loads", ("load",)),
    "st": ("global stores", ("store",)),
    "atom": ("global atomics whose result is read", ("atom",)),
    "red": ("global atomics whose result nothing reads", ("red",)),
}
_SHARED = {
    "ld": ("loads", ("load",)),
    "st": ("stores", ("store",)),
    "atom": ("atomics", ("atom", "red")),
}


def _of(attribute: str, space: str, *kinds: str) -> Number:
    """The sum of an attribute over the memory instructions of a space."""
    return lambda launch: sum(getattr(site, attribute) for site in launch.sites(space, *kinds))


def _where(value: Number, space: str, *kinds: str) -> Value:
    """The value where the launch executed such an instruction."""
    return lambda launch: value(launch) if launch.sites(space, *kinds) else None


def _ratio(above: Number, below: Number) -> Value:
    def value(launch: CountedLaunch) -> float | None:
        divisor = below(launch)
        return above(launch) / divisor if divisor else None

    return value


def _conflicts(*kinds: str) -> Number:
    """Wavefronts beyond the fewest."""
    wavefronts, ideal = _of("wavefronts", "shared", *kinds), _of("ideal", "shared", *kinds)
    return lambda launch: wavefronts(launch) - ideal(launch)


def _global_sums(short: str) -> list[Row]:
    what, kinds = _ACCESSES[short]
    end = f"pipe_lsu_mem_global_op_{short}.sum"
    requests, sectors = _of("requests", "global", *kinds), _of("sectors", "global", *kinds)
    return [
        Row(
            f"l1tex__t_requests_{end}",
            "request",
            f"Warps that executed {what} with an active lane.",
            _where(requests, "global", *kinds),
            "sum",
        ),
        Row(
            f"l1tex__t_sectors_{end}",
            "sector",
            f"Distinct 32-byte sectors of each request, of {what}.",
            _where(sectors, "global", *kinds),
            "sum",
        ),
    ]


def _global_efficiency(short: str) -> list[Row]:
    what, kinds = _ACCESSES[short]
    end = f"pipe_lsu_mem_global_op_{short}"
    requests, sectors = _of("requests", "global", *kinds), _of("sectors", "global", *kinds)

    def asked(launch: CountedLaunch) -> float:
        return sum(100 * site.lanes * site.size / SECTOR for site in launch.sites("global", *kinds))

    return [
        Row(
            f"l1tex__t_bytes_{end}.sum",
            "byte",
            f"Sectors of {what} times 32.",
            _where(lambda launch: SECTOR * sectors(launch), "global", *kinds),
            "sum",
        ),
        Row(
            f"l1tex__average_t_sectors_per_request_{end}.ratio",
            "sector/request",
            f"Sectors over requests of {what}.",
            _ratio(sectors, requests),
        ),
        Row(
            f"smsp__sass_average_data_bytes_per_sector_mem_global_op_{short}.pct",
            "%",
            f"Bytes that active lanes of {what} asked for over bytes of their sectors; more than 100 where "
            "lanes share bytes.",
            _ratio(asked, sectors),
        ),
    ]


def _shared_sums(short: str) -> list[Row]:
    what, kinds = _SHARED[short]
    turn = "lanes in one of the 32 banks" if short == "atom" else "distinct words in one of the 32 banks"
    return [
        Row(
            f"smsp__inst_executed_op_shared_{short}.sum",
            "inst",
            f"Warps that executed shared-memory {what} with an active lane.",
            _where(_of("requests", "shared", *kinds), "shared", *kinds),
            "sum",
        ),
        Row(
            f"l1tex__data_pipe_lsu_wavefronts_mem_shared_op_{short}.sum",
            "wavefront",
            f"Of shared-memory {what}: the most {turn}, for each request (for each half warp of an 8-byte, "
            "each quarter warp of a 16-byte access).",
            _where(_of("wavefronts", "shared", *kinds), "shared", *kinds),
            "sum",
        ),
        Row(
            f"l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_{short}.sum",
            "conflict",
            f"Of shared-memory {what}: wavefronts beyond the fewest possible, 1, 2 or 4 a request by width.",
            _where(_conflicts(*kinds), "shared", *kinds),
            "sum",
        ),
    ]


def _busiest(launch: CountedLaunch) -> float | None:
    sites = launch.sites("global", "atom", "red")
    return max((site.contention.busiest(launch.shape.scale) for site in sites), default=None)


def _local(short: str, opcode: str) -> Row:
    return Row(
        f"smsp__inst_executed_op_local_{short}.sum",
        "inst",
        f"`{opcode}.local` of the PTX that warps executed: arrays indexed by variables. Spills, which the "
        "assembler adds, are in the compiler's report.",
        lambda launch: local_requests(launch.counter, opcode) or None,
        "sum",
    )


def _copies(launch: CountedLaunch) -> float | None:
    sites = launch.sites("shared", "store")
    return sum(site.requests for site in sites if site.instruction.opcode == "cp") or None


COPY_ROWS = (
    Row(
        "smsp__inst_executed_op_ldgsts.sum",
        "inst",
        "Warps that executed `cp.async` with an active lane. Its load and its store are among those of global "
        "and of shared memory as well.",
        _copies,
        "sum",
    ),
)

GLOBAL_ROWS = tuple(
    row for short in ("ld", "st") for row in (*_global_efficiency(short), *_global_sums(short))
)

SHARED_ROWS = (
    Row(
        "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum",
        "wavefront",
        "Shared-memory wavefronts of every kind.",
        _where(_of("wavefronts", "shared"), "shared"),
        "sum",
    ),
    Row(
        "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",
        "conflict",
        "Bank conflicts of every kind.",
        _where(_conflicts(), "shared"),
        "sum",
    ),
    *(row for short in _SHARED for row in _shared_sums(short)),
)

ATOMIC_ROWS = (
    *(row for short in ("atom", "red") for row in _global_sums(short)),
    Row(
        "warpwright__atomics_on_busiest_address.sum",
        "operation",
        "Global atomics of the grid on the address that gets most of them; an address that several sampled "
        "blocks touched is taken to be everyone's.",
        _busiest,
    ),
)

LOCAL_ROWS = (_local("ld", "ld"), _local("st", "st"))
