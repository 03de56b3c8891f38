#include <cuda_fp16.h>
//@ launch scale<<<ceil_div(n, 256), 128>>>(x, y, n)

extern "C" __global__ void scale(const __half* x, __half* y, int n) {
    int i = (blockIdx.x * 128 + threadIdx.x) * 2;
    if (i + 1 < n) {
        __half2 a = *(const __half2*)(x + i);
        __half2 b = *(const __half2*)(y + i);
        *(__half2*)(y + i) = __hfma2(__float2half2_rn(2.0f), a, b);
    } else if (i < n) {
        y[i] = __hfma(__float2half(2.0f), x[i], y[i]);
    }
}
