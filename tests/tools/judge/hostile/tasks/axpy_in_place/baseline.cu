//@ launch axpy<<<ceil_div(n, 128), 128>>>(a, x, y, n)

extern "C" __global__ void axpy(float a, const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
