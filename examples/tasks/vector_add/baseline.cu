//@ define THREADS = 256
//@ launch vector_add<<<ceil_div(n, THREADS), THREADS>>>(x, y, out, n)

// One thread adds one pair.
extern "C" __global__ void vector_add(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        out[i] = x[i] + y[i];
    }
}
