//@ define THREADS = 256
//@ launch copy<<<ceil_div(n, 4 * THREADS), THREADS>>>(x, y, n)

// Sixteen bytes a thread; the last thread copies what is left over.
extern "C" __global__ void copy(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (4 * i + 3 < n) {
        reinterpret_cast<float4*>(y)[i] = reinterpret_cast<const float4*>(x)[i];
    } else {
        for (int k = 4 * i; k < n; k++) y[k] = x[k];
    }
}
