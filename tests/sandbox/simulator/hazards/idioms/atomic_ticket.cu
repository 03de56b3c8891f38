// Last block done with one acquire-release operation.
//@ grid 6, block 32, n 192, io 8, expect total
#include <cuda/atomic>
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int t = threadIdx.x, v = x[blockIdx.x * 32 + t];
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(~0u, v, d);
    if (t == 0) {
        io[1 + blockIdx.x] = v;
        cuda::atomic_ref<int, cuda::thread_scope_device> ticket(io[0]);
        if (ticket.fetch_add(1, cuda::memory_order_acq_rel) == 5) {
            int sum = 0;
            for (int b = 0; b < 6; ++b) sum += io[1 + b];
            y[0] = sum;
        }
    }
}
