// The sum of every block's 256 elements: a tree in shared memory.
extern "C" __global__ void reduction(const float* x, float* sums, int n) {
    __shared__ float partial[256];
    int thread = threadIdx.x, i = blockIdx.x * 256 + thread;
    partial[thread] = i < n ? x[i] : 0.0f;
    __syncthreads();
    for (int stride = 128; stride > 0; stride /= 2) {
        if (thread < stride) partial[thread] += partial[thread + stride];
        __syncthreads();
    }
    if (thread == 0) sums[blockIdx.x] = partial[0];
}
