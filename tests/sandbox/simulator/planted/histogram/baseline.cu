//@ launch histogram<<<3, 128>>>(x, h, n)

extern "C" __global__ void histogram(const int* x, int* h, int n) {
    __shared__ int own[32];
    int t = threadIdx.x;
    if (t < 32) {
        own[t] = 0;
    }
    __syncthreads();  // cleared
    for (int i = blockIdx.x * 128 + t; i < n; i += gridDim.x * 128) {
        atomicAdd(&own[x[i]], 1);
    }
    __syncthreads();  // counted
    if (t < 32) {
        atomicAdd(&h[t], own[t]);
    }
}
