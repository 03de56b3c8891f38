//@ launch softmax<<<rows, 64>>>(x, y, cols)

extern "C" __global__ void softmax(const float* x, float* y, int cols) {
    __shared__ float s[64];
    int t = threadIdx.x;
    const float* row = x + (size_t)blockIdx.x * cols;
    float most = -INFINITY;
    for (int i = t; i < cols; i += 64) {
        most = fmaxf(most, row[i]);
    }
    s[t] = most;
    for (int stride = 32; stride > 0; stride /= 2) {
        __syncthreads();  // of the maximum
        if (t < stride) {
            s[t] = fmaxf(s[t], s[t + stride]);
        }
    }
    __syncthreads();
    most = s[0];
    __syncthreads();  // before reuse
    float sum = 0.0f;
    for (int i = t; i < cols; i += 64) {
        sum += expf(row[i] - most);
    }
    s[t] = sum;
    for (int stride = 32; stride > 0; stride /= 2) {
        __syncthreads();  // of the sum
        if (t < stride) {
            s[t] += s[t + stride];
        }
    }
    __syncthreads();
    for (int i = t; i < cols; i += 64) {
        y[(size_t)blockIdx.x * cols + i] = expf(row[i] - most) / s[0];
    }
}
