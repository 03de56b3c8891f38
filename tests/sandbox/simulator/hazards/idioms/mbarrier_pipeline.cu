// Producer and consumer warps with an mbarrier for full and one for empty.
//@ grid 2, block 64, n 256, io 1, expect double
typedef unsigned long long u64;
__device__ unsigned at(void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void arrive(u64* b) { asm volatile("{ .reg .b64 s; mbarrier.arrive.shared.b64 s, [%0]; }" ::"r"(at(b)) : "memory"); }
__device__ void wait(u64* b, int parity) {
    unsigned over = 0;
    while (!over)
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(over) : "r"(at(b)), "r"(parity) : "memory");
}
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ u64 full, empty;
    __shared__ int s[32];
    int t = threadIdx.x % 32;
    if (threadIdx.x == 0) {
        asm volatile("mbarrier.init.shared.b64 [%0], 32;" ::"r"(at(&full)) : "memory");
        asm volatile("mbarrier.init.shared.b64 [%0], 32;" ::"r"(at(&empty)) : "memory");
    }
    __syncthreads();
    for (int r = 0; r < 4; ++r) {
        if (threadIdx.x < 32) {
            if (r > 0) wait(&empty, (r - 1) & 1);
            s[t] = x[blockIdx.x * 128 + r * 32 + t];
            arrive(&full);
        } else {
            wait(&full, r & 1);
            y[blockIdx.x * 128 + r * 32 + (t ^ 3)] = 2 * s[t ^ 3];
            arrive(&empty);
        }
    }
}
