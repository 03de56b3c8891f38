//@ define THREADS = 256
//@ zero bins
//@ launch histogram<<<ceil_div(n, THREADS), THREADS>>>(x, bins, n)

// Every thread counts its element in global memory.
extern "C" __global__ void histogram(const int* x, int* bins, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        atomicAdd(&bins[x[i]], 1);
    }
}
