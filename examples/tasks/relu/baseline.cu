//@ define THREADS = 256
//@ launch relu<<<ceil_div(n, THREADS), THREADS>>>(x, y, n)

// One thread computes one element.
extern "C" __global__ void relu(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        y[i] = x[i] > 0.0f ? x[i] : 0.0f;
    }
}
