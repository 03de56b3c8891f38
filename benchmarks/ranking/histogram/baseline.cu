//@ define THREADS = 256
//@ define BLOCKS = min(ceil_div(n, THREADS), 1024)
//@ launch clear<<<1, 256>>>(bins)
//@ launch histogram<<<BLOCKS, THREADS>>>(x, bins, n)

extern "C" __global__ void clear(int* bins) { bins[threadIdx.x] = 0; }

// Every element is counted in global memory.
extern "C" __global__ void histogram(const unsigned char* x, int* bins, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        atomicAdd(bins + x[i], 1);
    }
}
