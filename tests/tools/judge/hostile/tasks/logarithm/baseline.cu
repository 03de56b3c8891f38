//@ launch logarithm<<<ceil_div(n, 128), 128>>>(x, y, n)

extern "C" __global__ void logarithm(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = logf(x[i]);
}
