//@ define BLOCKS = ceil_div(n, 128)
//@ scratch total: int32[BLOCKS]
//@ scratch ready: int32[BLOCKS]
//@ launch clear<<<1, 128>>>(ready, BLOCKS)
//@ launch chain<<<BLOCKS, 128>>>(x, y, total, ready, n)

extern "C" __global__ void clear(int* ready, int blocks) {
    for (int i = threadIdx.x; i < blocks; i += 128) {
        ready[i] = 0;
    }
}

extern "C" __global__ void chain(const int* x, int* y, int* total, int* ready, int n) {
    __shared__ int s[128];
    __shared__ int before;
    int t = threadIdx.x, b = blockIdx.x, i = b * 128 + t;
    s[t] = i < n ? x[i] : 0;
    for (int step = 1; step < 128; step *= 2) {
        __syncthreads();
        int other = t >= step ? s[t - step] : 0;
        __syncthreads();
        s[t] += other;
    }
    if (t == 127) {
        before = 0;
        if (b > 0) {
            while (atomicAdd(&ready[b - 1], 0) == 0) {
            }
            __threadfence();
            before = total[b - 1];
        }
        total[b] = before + s[127];
        __threadfence();
        atomicExch(&ready[b], 1);
    }
    __syncthreads();
    if (i < n) {
        y[i] = before + s[t];
    }
}
