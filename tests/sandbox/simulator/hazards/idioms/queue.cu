// Producers reserve a slot, fill it and raise its flag; consumers draw a slot and wait for the flag.
//@ cooperative grid 4, block 32, n 64, io 131, expect double
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int t = threadIdx.x, b = blockIdx.x;
    int *slot = io + 2, *full = io + 66;
    if (b < 2) {
        int i = b * 32 + t, at = atomicAdd(&io[0], 1);
        slot[at] = i;
        __threadfence();
        atomicExch(&full[at], 1);
    } else {
        int at = atomicAdd(&io[1], 1);
        while (atomicAdd(&full[at], 0) == 0) {}
        __threadfence();
        int i = slot[at];
        y[i] = 2 * x[i];
    }
}
