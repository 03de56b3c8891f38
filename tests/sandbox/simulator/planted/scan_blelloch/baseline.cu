//@ launch scan<<<rows, 128>>>(x, y)

extern "C" __global__ void scan(const int* x, int* y) {
    __shared__ int s[256];
    int t = threadIdx.x;
    const int* row = x + blockIdx.x * 256;
    s[t] = row[t];
    s[t + 128] = row[t + 128];
    int offset = 1;
    for (int d = 128; d > 0; d /= 2) {
        __syncthreads();  // up
        if (t < d) {
            s[offset * (2 * t + 2) - 1] += s[offset * (2 * t + 1) - 1];
        }
        offset *= 2;
    }
    if (t == 0) {
        s[255] = 0;
    }
    for (int d = 1; d < 256; d *= 2) {
        offset /= 2;
        __syncthreads();  // down
        if (t < d) {
            int left = s[offset * (2 * t + 1) - 1];
            s[offset * (2 * t + 1) - 1] = s[offset * (2 * t + 2) - 1];
            s[offset * (2 * t + 2) - 1] += left;
        }
    }
    __syncthreads();  // before the result
    y[blockIdx.x * 256 + t] = s[t];
    y[blockIdx.x * 256 + t + 128] = s[t + 128];
}
