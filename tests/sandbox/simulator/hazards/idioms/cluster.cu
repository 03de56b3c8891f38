// Blocks of a cluster read each other's shared memory between two barriers of the cluster.
//@ cluster 2, grid 4, block 32, n 128, io 1, expect swapped32
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int s[32];
    cg::cluster_group c = cg::this_cluster();
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 32 + t];
    c.sync();
    y[blockIdx.x * 32 + t] = c.map_shared_rank(s, c.block_rank() ^ 1)[t];
    c.sync();
}
