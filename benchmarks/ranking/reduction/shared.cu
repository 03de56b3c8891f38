//@ define THREADS = 256
//@ define BLOCKS = min(ceil_div(n, THREADS), 2048)
//@ launch clear<<<1, 1>>>(out)
//@ launch reduce<<<BLOCKS, THREADS>>>(x, out, n)

extern "C" __global__ void clear(float* out) { out[0] = 0.0f; }

// A tree in shared memory with a barrier at each level, and an atomic a block.
extern "C" __global__ void reduce(const float* x, float* out, int n) {
    __shared__ float partial[THREADS];
    float sum = 0.0f;
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < n; i += gridDim.x * THREADS) sum += x[i];
    partial[threadIdx.x] = sum;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) atomicAdd(out, partial[0]);
}
