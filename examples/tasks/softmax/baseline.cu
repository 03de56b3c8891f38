//@ define THREADS = 256
//@ launch softmax<<<rows, THREADS>>>(x, y, cols)

// One block computes one row: its maximum, then the sum of exponentials, then the quotients.
extern "C" __global__ void softmax(const float* x, float* y, int cols) {
    __shared__ float partial[THREADS];
    const float* row = x + (size_t)blockIdx.x * cols;
    float* result = y + (size_t)blockIdx.x * cols;
    int thread = threadIdx.x;

    float largest = row[0];
    for (int i = thread; i < cols; i += THREADS) {
        largest = fmaxf(largest, row[i]);
    }
    partial[thread] = largest;
    __syncthreads();
    for (int stride = THREADS / 2; stride > 0; stride /= 2) {
        if (thread < stride) {
            partial[thread] = fmaxf(partial[thread], partial[thread + stride]);
        }
        __syncthreads();
    }
    largest = partial[0];
    __syncthreads();

    float sum = 0.0f;
    for (int i = thread; i < cols; i += THREADS) {
        sum += expf(row[i] - largest);
    }
    partial[thread] = sum;
    __syncthreads();
    for (int stride = THREADS / 2; stride > 0; stride /= 2) {
        if (thread < stride) {
            partial[thread] += partial[thread + stride];
        }
        __syncthreads();
    }
    sum = partial[0];

    for (int i = thread; i < cols; i += THREADS) {
        result[i] = expf(row[i] - largest) / sum;
    }
}
