//@ launch copy<<<2, 128>>>(x, y, n)

extern "C" __global__ void copy(const float* x, float* y, int n) {
    int first = blockIdx.x * blockDim.x + threadIdx.x;
    int step = gridDim.x * blockDim.x;
    int vectors = n / 4;
    for (int i = first; i < vectors; i += step) {
        ((float4*)y)[i] = ((const float4*)x)[i];
    }
    for (int i = vectors * 4 + first; i < n; i += step) {
        y[i] = x[i];
    }
}
