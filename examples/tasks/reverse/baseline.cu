//@ define THREADS = 256
//@ launch reverse<<<ceil_div(n, THREADS), THREADS>>>(x, n)

// One thread exchanges one pair.
extern "C" __global__ void reverse(float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n / 2) {
        float left = x[i];
        x[i] = x[n - 1 - i];
        x[n - 1 - i] = left;
    }
}
