// Results leave shared memory by bulk copies: a proxy fence of every writer, and of the copier for what the other warp wrote.
//@ grid 2, block 64, n 512, io 1, expect double
__device__ unsigned at(void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void send(int* to, int* from) {
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], 128;" ::"l"(to), "r"(at(from)) : "memory");
}
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ alignas(16) int s[64];
    int t = threadIdx.x;
    #pragma unroll 1
    for (int i = blockIdx.x * 64; i < n; i += 128) {
        s[t] = 2 * x[i + t];
        if (t < 32) asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        __syncthreads();
        if (t == 0) {
            send(y + i, s);
            asm volatile("fence.proxy.async;" ::: "memory");
            send(y + i + 32, s + 32);
            asm volatile("cp.async.bulk.commit_group;" ::: "memory");
            asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
        }
        __syncthreads();
    }
    if (t == 0) asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}
