//@ scratch a: float32[n]
//@ scratch b: float32[n]
//@ launch smooth<<<ceil_div(n, 128), 128>>>(x, a, n)
//@ launch smooth<<<ceil_div(n, 128), 128>>>(a, b, n)
//@ launch smooth<<<ceil_div(n, 128), 128>>>(b, y, n)

extern "C" __global__ void smooth(const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) {
        y[i] = (x[max(i - 1, 0)] + x[i] + x[min(i + 1, n - 1)]) / 3.0f;
    }
}
