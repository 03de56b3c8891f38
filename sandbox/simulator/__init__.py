"""Runs PTX on the CPU in NumPy, checks every access, counts, and estimates what a GPU would take.

What happens to a kernel, and in which room. Imports go downwards only: `lint-imports` holds the floors of the last
paragraph (docs/adr/0014).

A run (`execute.running.run`: is it right?):

1. `ptx.parser` reads the text into typed syntax; `execute.programs` keeps it for the next run.
2. `execute.attempt` goes through the launches of a plan: `execute.contents` fills the buffers, which lie in an arena
   (`machine.memory`) in places that `machine.surroundings` draws for each run; `execute.preparing` holds a launch
   against the limits of the GPU (`gpus`, `execute.limits`) and makes an `execute.launching.LaunchSetup` of it.
   Several inputs of one size run side by side, as replicas of the grid that see the same addresses, each in memory
   of its own.
3. `decode.decoder` makes the kernel executable, once: `decode.slots` gives every operand a slot, `instructions` makes
   a step of every instruction, and `decode.code` is the result, basic blocks of steps. What cannot be run right
   becomes a step that refuses when it is reached.
4. Blocks go in batches (`machine.faults.Batch`), all threads of a batch in lock step. A register of a batch is one
   array (`machine.lanes` says how its axes are the threads); `machine.state.Machine` is all that a batch has:
   registers, memories, active lanes, barriers' arrivals, copies under way.
5. `execute.scheduler` chooses which lanes run which basic block next, in lock step or as `execute.schedule` draws it,
   and calls its steps. Waiting is its own:
   `execute.barriers`, and warps whose lanes must meet. `execute.calls` enters functions, `execute.printing` is what
   the device runtime provides.
6. A step computes (`numerics` where NumPy is not exact, or a device is not), reads and writes memory through
   `machine.spaces`, `machine.local` and `machine.copies`, and writes registers. A fault is raised as
   `machine.faults.FaultError`.
7. Before an access takes effect, and at every synchronisation, the machine tells its observers
   (`machine.state.Observer`). In a run these are `hazards`: `shared` for kernels that only hold whole blocks at
   barriers, `ordered` with vector clocks for all others, `clusters`, `globals`, and `inputs` for what may not be
   written. They let lock step not hide what a GPU would show.
8. `execute.contents` reads the outputs back; `execute.running` looks into what was found against the run.

A profile (`profiling.profile`: how long would it take?) takes steps 1 to 6 for a sample of the blocks, over an arena
that holds only the pages that are touched (`machine.sparse`, filled by `machine.filling`), with one observer instead
of the hazards. `sampling` says which blocks, and `completeness` which launches need all of theirs:

9. `cost.counting.Counter` counts: instructions, sectors (`cost.coalescing`), bank conflicts and contended atomics
   (`cost.contention`), what the caches keep (`cost.caches`), how far the longest warps go (`cost.chains`).
10. `cost.traffic` scales the counts to the grid, `gpus.occupancy` says how many blocks are resident, `cost.timeline`
    with `cost.issue_order` follows the warps of a multiprocessor, and `cost.estimate` makes a
    latency and a bottleneck of it. `cost.hotspots` names the lines behind it.
11. `metrics` tells counts and estimates under Nsight Compute's names.

`documents` writes docs/ptx.md, docs/metrics.md and docs/gpus.md from all this.

The floors, from the top: documents and profiling; sampling and completeness; metrics; execute and cost, which do not
know each other; decode; instructions; hazards, numerics and gpus, each by itself; machine; ptx.
"""
