// The CUDA C++ Programming Guide's compare-and-swap loop ("Atomic Functions"), plain first read included.
//@ grid 4, block 32, n 128, io 1, expect largest
__device__ int raise_to(int* address, int value) {
    int old = *address, assumed;
    do {
        assumed = old;
        old = atomicCAS(address, assumed, max(value, assumed));
    } while (assumed != old);
    return old;
}
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    raise_to(y, x[blockIdx.x * 32 + threadIdx.x]);
}
