// What a GPU reaches at most, measured by these two kernels: bytes copied, and float32 multiply-adds.
// ceilings.ptx is this file compiled for sm_75; the driver compiles it further. tests/sandbox/nsight compares the two:
// WARPWRIGHT_UPDATE_GOLDEN=1 writes it anew.

extern "C" __global__ void ceiling_copy(const float4* x, float4* y, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] = x[i];
}

extern "C" __global__ void ceiling_fma(const float* x, float* y, int turns) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float scale = x[0], a = x[1], b = x[2], c = x[3], d = x[4], e = x[5], f = x[6], g = x[7], h = i;
    for (int turn = 0; turn < turns; ++turn) {
#pragma unroll
        for (int step = 0; step < 8; ++step) {  // eight chains, so that no result is waited for
            a = fmaf(a, scale, 0.5f), b = fmaf(b, scale, 0.5f), c = fmaf(c, scale, 0.5f), d = fmaf(d, scale, 0.5f);
            e = fmaf(e, scale, 0.5f), f = fmaf(f, scale, 0.5f), g = fmaf(g, scale, 0.5f), h = fmaf(h, scale, 0.5f);
        }
    }
    y[i] = ((a + b) + (c + d)) + ((e + f) + (g + h));
}
