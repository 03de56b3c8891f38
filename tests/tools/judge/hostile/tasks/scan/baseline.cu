//@ launch scan<<<1, 256>>>(x, y, n)

// Every thread sums its stretch; the stretches' sums are scanned; every thread writes its stretch.
extern "C" __global__ void scan(const float* x, float* y, int n) {
    __shared__ float part[256];
    int t = threadIdx.x, length = (n + 255) / 256, first = min(t * length, n), last = min(first + length, n);
    float sum = 0;
    for (int i = first; i < last; ++i) sum += x[i];
    part[t] = sum;
    __syncthreads();
    for (int s = 1; s < 256; s *= 2) {
        float before = t >= s ? part[t - s] : 0.0f;
        __syncthreads();
        part[t] += before;
        __syncthreads();
    }
    sum = t ? part[t - 1] : 0.0f;
    for (int i = first; i < last; ++i) {
        sum += x[i];
        y[i] = sum;
    }
}
