// Cooperative groups' barrier over the grid.
//@ cooperative grid 3, block 64, n 192, io 192, expect ring2
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    cg::grid_group grid = cg::this_grid();
    int i = grid.thread_rank();
    io[i] = x[i] + x[(i + 1) % n];
    grid.sync();
    int v = io[i] + io[(i + n - 5) % n];
    grid.sync();
    io[i] = v;
    grid.sync();
    y[i] = io[(i + 64) % n];
}
