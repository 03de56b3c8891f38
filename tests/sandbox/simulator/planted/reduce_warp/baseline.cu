//@ launch sums<<<rows, 128>>>(x, y, cols)

__device__ float warp_sum(float v) {
    for (int offset = 16; offset > 0; offset /= 2) {
        v += __shfl_down_sync(0xffffffffu, v, offset);
    }
    return v;
}

extern "C" __global__ void sums(const float* x, float* y, int cols) {
    __shared__ float of_warp[4];
    int t = threadIdx.x;
    float sum = 0.0f;
    for (int i = t; i < cols; i += blockDim.x) {
        sum += x[(size_t)blockIdx.x * cols + i];
    }
    sum = warp_sum(sum);
    if (t % 32 == 0) {
        of_warp[t / 32] = sum;
    }
    __syncthreads();
    if (t < 32) {
        sum = warp_sum(t < 4 ? of_warp[t] : 0.0f);
        if (t == 0) {
            y[blockIdx.x] = sum;
        }
    }
}
