// The same on a float in shared memory, as sums of double were written before there was an atomic for them.
//@ grid 2, block 64, n 128, io 2, expect total
__device__ void add(float* address, float value) {
    unsigned* word = (unsigned*)address;
    unsigned old = *word, assumed;
    do {
        assumed = old;
        old = atomicCAS(word, assumed, __float_as_uint(value + __uint_as_float(assumed)));
    } while (assumed != old);
}
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ float sum;
    if (threadIdx.x == 0) sum = 0.0f;
    __syncthreads();
    add(&sum, (float)x[blockIdx.x * 64 + threadIdx.x]);
    __syncthreads();
    if (threadIdx.x == 0) atomicAdd(y, (int)sum);
}
