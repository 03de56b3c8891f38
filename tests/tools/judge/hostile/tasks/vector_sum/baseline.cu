//@ define THREADS = 256
//@ launch vector_sum<<<ceil_div(n, THREADS), THREADS>>>(x, y, out, n)

extern "C" __global__ void vector_sum(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        out[i] = x[i] + y[i];
    }
}
