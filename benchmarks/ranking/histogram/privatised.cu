//@ define THREADS = 256
//@ define BLOCKS = min(ceil_div(n, THREADS), 1024)
//@ launch clear<<<1, 256>>>(bins)
//@ launch histogram<<<BLOCKS, THREADS>>>(x, bins, n)

extern "C" __global__ void clear(int* bins) { bins[threadIdx.x] = 0; }

// Every block counts in shared memory, and adds its counts to the result once.
extern "C" __global__ void histogram(const unsigned char* x, int* bins, int n) {
    __shared__ int mine[256];
    mine[threadIdx.x] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        atomicAdd(mine + x[i], 1);
    }
    __syncthreads();
    atomicAdd(bins + threadIdx.x, mine[threadIdx.x]);
}
