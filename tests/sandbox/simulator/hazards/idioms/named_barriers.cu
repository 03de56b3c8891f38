// One warp fills, one warp uses: full and empty are named barriers, of which each side only arrives at one.
//@ grid 2, block 64, n 256, io 1, expect double
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int s[32];
    int t = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        for (int r = 0; r < 4; ++r) {
            if (r > 0) asm volatile("bar.sync 2, 64;" ::: "memory");
            s[t] = x[blockIdx.x * 128 + r * 32 + t];
            asm volatile("bar.arrive 1, 64;" ::: "memory");
        }
    } else {
        for (int r = 0; r < 4; ++r) {
            asm volatile("bar.sync 1, 64;" ::: "memory");
            y[blockIdx.x * 128 + r * 32 + (t ^ 3)] = 2 * s[t ^ 3];
            if (r < 3) asm volatile("bar.arrive 2, 64;" ::: "memory");
        }
    }
}
