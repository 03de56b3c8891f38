// st.release and ld.acquire by hand, every thread for itself.
//@ cooperative grid 2, block 32, n 64, io 128, expect swapped32
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int i = blockIdx.x * 32 + threadIdx.x, j = i ^ 32, seen = 0;
    io[i] = x[i];
    asm volatile("st.release.gpu.global.s32 [%0], 1;" ::"l"(io + 64 + i) : "memory");
    while (!seen) asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(seen) : "l"(io + 64 + j) : "memory");
    y[i] = io[j];
}
