//@ define THREADS = 256
//@ launch copy<<<ceil_div(n, THREADS), THREADS>>>(x, y, n)

// One element a thread, neighbours side by side.
extern "C" __global__ void copy(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i];
}
