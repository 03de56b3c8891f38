//@ define THREADS = 256
//@ launch sigmoid<<<ceil_div(n, THREADS), THREADS>>>(x, y, n)

// One thread computes one element.
extern "C" __global__ void sigmoid(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        y[i] = 1.0f / (1.0f + expf(-x[i]));
    }
}
