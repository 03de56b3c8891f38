#include <cuda_fp16.h>
//@ launch rms_norm<<<rows, 128>>>(x, y, cols)

extern "C" __global__ void rms_norm(const __half* x, __half* y, int cols) {
    __shared__ float part[128];
    const __half* row = x + (size_t)blockIdx.x * cols;
    int t = threadIdx.x;
    float sum = 0;
    for (int i = t; i < cols; i += 128) sum += __half2float(row[i]) * __half2float(row[i]);
    part[t] = sum;
    __syncthreads();
    for (int s = 64; s > 0; s /= 2) {
        if (t < s) part[t] += part[t + s];
        __syncthreads();
    }
    float scale = rsqrtf(part[0] / cols + 1e-5f);
    for (int i = t; i < cols; i += 128) {
        y[(size_t)blockIdx.x * cols + i] = __float2half(__half2float(row[i]) * scale);
    }
}
