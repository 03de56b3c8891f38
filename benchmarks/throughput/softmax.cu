// Softmax of every row: a block of 256 threads a row, tree reductions in shared memory.
extern "C" __global__ void softmax(const float* x, float* y, int columns) {
    __shared__ float partial[256];
    const float* row = x + (size_t)blockIdx.x * columns;
    float* result = y + (size_t)blockIdx.x * columns;
    int thread = threadIdx.x;
    float largest = row[0];
    for (int i = thread; i < columns; i += 256) largest = fmaxf(largest, row[i]);
    partial[thread] = largest;
    __syncthreads();
    for (int stride = 128; stride > 0; stride /= 2) {
        if (thread < stride) partial[thread] = fmaxf(partial[thread], partial[thread + stride]);
        __syncthreads();
    }
    largest = partial[0];
    __syncthreads();
    float sum = 0.0f;
    for (int i = thread; i < columns; i += 256) sum += expf(row[i] - largest);
    partial[thread] = sum;
    __syncthreads();
    for (int stride = 128; stride > 0; stride /= 2) {
        if (thread < stride) partial[thread] += partial[thread + stride];
        __syncthreads();
    }
    for (int i = thread; i < columns; i += 256) result[i] = expf(row[i] - largest) / partial[0];
}
