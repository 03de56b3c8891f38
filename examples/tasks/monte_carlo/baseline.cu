//@ define THREADS = 256
//@ scratch total: float64[1]
//@ zero total
//@ launch monte_carlo<<<ceil_div(n, THREADS), THREADS>>>(x, total, n)
//@ launch finish<<<1, 1>>>(total, integral)

// Every thread adds its sample to the one sum: of millions in a row float32 would keep three digits.
extern "C" __global__ void monte_carlo(const float* x, double* total, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        atomicAdd(total, (double)(0.5f * sinf(6.2831853f * x[i]) / n));
    }
}

extern "C" __global__ void finish(const double* total, float* integral) {
    integral[0] = (float)total[0];
}
