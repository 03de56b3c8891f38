// Every thread takes the lock of its own bucket, without waiting inside a warp.
//@ grid 3, block 32, n 96, io 16, expect buckets
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int i = blockIdx.x * 32 + threadIdx.x, b = i % 8;
    bool done = false;
    while (!done) {
        if (atomicCAS(&io[b], 0, 1) == 0) {
            __threadfence();
            io[8 + b] += x[i];
            y[b] = io[8 + b];
            __threadfence();
            atomicExch(&io[b], 0);
            done = true;
        }
    }
}
