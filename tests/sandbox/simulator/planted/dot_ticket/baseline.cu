//@ define BLOCKS = ceil_div(n, 128)
//@ scratch partial: float32[BLOCKS]
//@ launch dot<<<BLOCKS, 128>>>(x, y, partial, out, n)

__device__ unsigned int finished;

extern "C" __global__ void dot(const float* x, const float* y, float* partial, float* out, int n) {
    __shared__ float s[128];
    __shared__ bool last;
    int t = threadIdx.x, i = blockIdx.x * 128 + t;
    s[t] = i < n ? x[i] * y[i] : 0.0f;
    for (int stride = 64; stride > 0; stride /= 2) {
        __syncthreads();
        if (t < stride) {
            s[t] += s[t + stride];
        }
    }
    if (t == 0) {
        partial[blockIdx.x] = s[0];
        __threadfence();
        last = atomicAdd(&finished, 1) == gridDim.x - 1;
    }
    __syncthreads();  // of the flag
    if (last && t == 0) {
        __threadfence();
        float sum = 0.0f;
        for (int b = 0; b < gridDim.x; b++) {
            sum += partial[b];
        }
        out[0] = sum;
        finished = 0;
    }
}
