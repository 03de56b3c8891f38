// One block hands values to another through a ring of two slots; counters say how far each has come.
//@ grid 2, block 1, n 12, io 4, expect double
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    volatile int *head = io, *tail = io + 1;
    int* slot = io + 2;
    if (blockIdx.x == 0) {
        for (int i = 0; i < n; ++i) {
            while (i - *tail >= 2) {}
            __threadfence();
            slot[i & 1] = x[i];
            __threadfence();
            *head = i + 1;
        }
    } else {
        for (int i = 0; i < n; ++i) {
            while (*head <= i) {}
            __threadfence();
            y[i] = slot[i & 1] * 2;
            __threadfence();
            *tail = i + 1;
        }
    }
}
