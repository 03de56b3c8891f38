//@ launch so_far<<<rows, 64>>>(x, y, cols)

extern "C" __global__ void so_far(const float* x, float* y, int cols) {
    __shared__ float s[64];
    __shared__ float carry;
    int t = threadIdx.x;
    if (t == 0) {
        carry = -INFINITY;
    }
    for (int first = 0; first < cols; first += 64) {
        int i = blockIdx.x * cols + first + t;
        s[t] = first + t < cols ? x[i] : -INFINITY;
        __syncthreads();  // loaded
        for (int step = 1; step < 64; step *= 2) {
            float other = t >= step ? s[t - step] : -INFINITY;
            __syncthreads();  // read
            s[t] = fmaxf(s[t], other);
            __syncthreads();  // written
        }
        float most = fmaxf(s[t], carry);
        if (first + t < cols) {
            y[i] = most;
        }
        __syncthreads();  // used
        if (t == 63) {
            carry = most;
        }
    }
}
