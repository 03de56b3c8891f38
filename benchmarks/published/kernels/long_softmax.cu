// Softmax of long rows of float32.

__device__ __forceinline__ float warp_largest(float value) {
    for (int apart = 16; apart; apart /= 2) value = fmaxf(value, __shfl_down_sync(0xffffffff, value, apart));
    return value;
}

__device__ __forceinline__ float warp_sum(float value) {
    for (int apart = 16; apart; apart /= 2) value += __shfl_down_sync(0xffffffff, value, apart);
    return value;
}

// A warp for each row: maximum and sum in one pass, a second pass writes.
__global__ void warp_rows(float* y, const float* x, int rows, int columns) {
    int lane = threadIdx.x % 32, warps = blockDim.x / 32, row = blockIdx.x * warps + threadIdx.x / 32;
    if (row >= rows) return;
    const float* from = x + (size_t)row * columns;
    float largest = -INFINITY, sum = 0;
    for (int i = lane; i < columns; i += 32) {
        float value = from[i], before = largest;
        if (value > largest) {
            largest = value;
            sum = sum * expf(before - largest) + expf(value - largest);
        } else {
            sum += expf(value - largest);
        }
    }
    for (int apart = 16; apart; apart /= 2) {
        float other = __shfl_down_sync(0xffffffff, largest, apart), more = __shfl_down_sync(0xffffffff, sum, apart);
        if (other > largest) {
            sum = sum * expf(largest - other) + more;
            largest = other;
        } else {
            sum += more * expf(other - largest);
        }
    }
    largest = __shfl_sync(0xffffffff, largest, 0);
    sum = __shfl_sync(0xffffffff, sum, 0);
    for (int i = lane; i < columns; i += 32) y[(size_t)row * columns + i] = expf(from[i] - largest) / sum;
}

// A block for each row, three passes of eight loads at a time.
__global__ void block_rows(float* y, const float* x, int rows, int columns) {
    extern __shared__ float shared[];
    constexpr int Unroll = 8;
    int thread = threadIdx.x, lane = thread % 32, warp = thread / 32, warps = blockDim.x / 32;
    float *largests = shared, *sums = shared + warps;
    const float* from = x + (size_t)blockIdx.x * columns;
    float* to = y + (size_t)blockIdx.x * columns;
    float largest = -INFINITY;
    for (int i = thread; i < columns; i += blockDim.x * Unroll)
#pragma unroll
        for (int u = 0; u < Unroll; u++) largest = fmaxf(largest, from[min(columns - 1, i + u * (int)blockDim.x)]);
    largest = warp_largest(largest);
    if (lane == 0) largests[warp] = largest;
    __syncthreads();
    if (thread == 0) {
        float value = largests[0];
        for (int i = 1; i < warps; i++) value = fmaxf(value, largests[i]);
        largests[0] = value;
    }
    __syncthreads();
    float shift = largests[0], sum = 0;
    for (int i = thread; i < columns; i += blockDim.x * Unroll) {
        float held[Unroll];
#pragma unroll
        for (int u = 0; u < Unroll; u++) held[u] = __ldcs(&from[min(columns - 1, i + u * (int)blockDim.x)]);
#pragma unroll
        for (int u = 0; u < Unroll; u++)
            if (i + u * (int)blockDim.x < columns) {
                float value = expf(held[u] - shift);
                to[min(columns - 1, i + u * (int)blockDim.x)] = value;
                sum += value;
            }
    }
    sum = warp_sum(sum);
    if (lane == 0) sums[warp] = sum;
    __syncthreads();
    if (thread == 0) {
        float value = sums[0];
        for (int i = 1; i < warps; i++) value += sums[i];
        sums[0] = value;
    }
    __syncthreads();
    sum = sums[0];
    for (int i = thread; i < columns; i += blockDim.x * Unroll) {
        float held[Unroll];
#pragma unroll
        for (int u = 0; u < Unroll; u++) held[u] = to[min(columns - 1, i + u * (int)blockDim.x)];
#pragma unroll
        for (int u = 0; u < Unroll; u++)
            if (i + u * (int)blockDim.x < columns) to[i + u * blockDim.x] = held[u] / sum;
    }
}
