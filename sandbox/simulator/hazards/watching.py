"""The hazard checks of one run, launch by launch and batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.simulator.hazards.clusters import ClusterHazards
from sandbox.simulator.hazards.findings import Findings
from sandbox.simulator.hazards.globals import GlobalHazards
from sandbox.simulator.hazards.inputs import InputWrites
from sandbox.simulator.hazards.order import LaunchOrder
from sandbox.simulator.hazards.ordered import OrderedHazards
from sandbox.simulator.hazards.proxies import ProxyHazards
from sandbox.simulator.hazards.shadow import Watched
from sandbox.simulator.hazards.shared import SharedHazards
from sandbox.simulator.hazards.strength import LoadUses, Strengths
from sandbox.simulator.hazards.touches import BlockLayout
from sandbox.simulator.machine.lanes import Geometry
from sandbox.simulator.machine.state import Machine, Observer


@dataclass(frozen=True)
class HazardWatch:
    """Of one run.

    Attributes:
        buffers: Shadows of what kernels may write.
        inputs: Bytes of an element of each input, by name.
        exact: Whether every block is watched with vector clocks.
    """

    buffers: dict[str, Watched]
    inputs: Mapping[str, int]
    exact: bool
    findings: Findings = field(default_factory=Findings)

    def launch(self, kernel: WatchedKernel, geometry: Geometry, words: int) -> LaunchWatch:
        """A launch begins; `words` is the size of global memory, of four bytes each."""
        for shadow in self.buffers.values():
            shadow.start_launch()
        order = LaunchOrder(geometry, words)
        strengths = Strengths(kernel.uses)
        self.findings.steering.append(kernel.uses.steers)
        wide = GlobalHazards(self.buffers, order, self.findings, strengths)
        return LaunchWatch(self, kernel, order, strengths, (InputWrites(self.inputs), wide))


@dataclass(frozen=True)
class WatchedKernel:
    """What hazard checks want to know of a kernel: see `Code`."""

    granularity: int
    ordered: bool
    proxies: bool
    uses: LoadUses


@dataclass
class LaunchWatch:
    """Of one launch."""

    watch: HazardWatch
    kernel: WatchedKernel
    order: LaunchOrder
    strengths: Strengths
    wide: tuple[Observer, ...]

    def batch(self) -> BatchWatch:
        """A batch is about to run; batches may take turns."""
        kernel, findings = self.kernel, self.watch.findings
        clustered = self.order.geometry.cluster_size > 1
        if not (clustered or kernel.ordered or self.watch.exact):
            return BatchWatch(self, (SharedHazards(kernel.granularity, findings, self.strengths),))
        layout = BlockLayout(whole_warps=not kernel.ordered)
        ordered = OrderedHazards(kernel.granularity, findings, self.order, self.strengths, layout=layout)
        beside = (ProxyHazards(findings),) if kernel.proxies else ()
        if not clustered:
            return BatchWatch(self, (ordered,), beside)
        blocks = ClusterHazards(kernel.granularity, findings, self.order, self.strengths)
        return BatchWatch(self, (ordered, blocks), beside)


@dataclass(frozen=True)
class BatchWatch:
    """Of one batch."""

    launch: LaunchWatch
    within: tuple[SharedHazards | OrderedHazards, ...]
    beside: tuple[Observer, ...] = ()

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who listens to its machine."""
        return (*self.within, *self.beside, *self.launch.wide)

    def start(self, machine: Machine) -> None:
        """The batch has its machine."""
        for one in self.within:
            if isinstance(one, OrderedHazards):
                one.attach(machine)

    def finish(self, machine: Machine) -> None:
        """The batch has ended: judge what is left.

        Raises:
            FaultError: There was a race.
            SuspectedError: There may have been one.
        """
        for one in self.within:
            one.finish(machine)
        self.launch.order.leave(machine)
