// Warps take turns at a plain sum under a lock in shared memory.
//@ grid 2, block 128, n 256, io 1, expect total
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int lock, sum;
    int t = threadIdx.x, v = x[blockIdx.x * 128 + t];
    if (t == 0) lock = sum = 0;
    __syncthreads();
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(~0u, v, d);
    if (t % 32 == 0) {
        while (atomicCAS(&lock, 0, 1) != 0) {}
        __threadfence_block();
        sum += v;
        __threadfence_block();
        atomicExch(&lock, 0);
    }
    __syncthreads();
    if (t == 0) atomicAdd(y, sum);
}
