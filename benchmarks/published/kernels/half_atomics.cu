// A dot product of float16 by an atomic a thread, all on one address.
#include <cuda_fp16.h>

__global__ void scalar(const __half* x, const __half* y, __half* sum, int n) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < n) atomicAdd(sum, __hmul(x[at], y[at]));
}

__global__ void packed(const __half* x, const __half* y, __half2* sum, int n) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    __half2 value = __float2half2_rn(0.0f);
    if (at < n / 2) value = __hmul2(((const __half2*)x)[at], ((const __half2*)y)[at]);
    atomicAdd(sum, value);
}

__global__ void half_of_a_pair(const __half* x, const __half* y, __half2* sum, int n) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < n) atomicAdd(sum, __halves2half2(__hmul(x[at], y[at]), __float2half(0.0f)));
}
