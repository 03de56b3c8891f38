//@ define CHUNK = 4096
//@ define CHUNKS = ceil_div(cols, CHUNK)
//@ scratch peaks: float32[rows * CHUNKS]
//@ scratch sums: float32[rows * CHUNKS]
//@ launch partial<<<(CHUNKS, rows), 256>>>(x, peaks, sums, cols)
//@ launch finish<<<(CHUNKS, rows), 256>>>(x, peaks, sums, y, cols)

// Every block takes the maximum of a chunk, and the sum of exponentials relative to it.
extern "C" __global__ void partial(const float* x, float* peaks, float* sums, int cols) {
    __shared__ float part[256];
    const float* row = x + (size_t)blockIdx.y * cols;
    int t = threadIdx.x, first = blockIdx.x * CHUNK, last = min(first + CHUNK, cols);
    float peak = -INFINITY;
    for (int i = first + t; i < last; i += 256) peak = fmaxf(peak, row[i]);
    part[t] = peak;
    __syncthreads();
    for (int s = 128; s > 0; s /= 2) {
        if (t < s) part[t] = fmaxf(part[t], part[t + s]);
        __syncthreads();
    }
    peak = part[0];
    __syncthreads();
    float sum = 0;
    for (int i = first + t; i < last; i += 256) sum += expf(row[i] - peak);
    part[t] = sum;
    __syncthreads();
    for (int s = 128; s > 0; s /= 2) {
        if (t < s) part[t] += part[t + s];
        __syncthreads();
    }
    if (t == 0) {
        peaks[blockIdx.y * CHUNKS + blockIdx.x] = peak;
        sums[blockIdx.y * CHUNKS + blockIdx.x] = part[0];
    }
}

extern "C" __global__ void finish(const float* x, const float* peaks, const float* sums, float* y, int cols) {
    const float* peak_of = peaks + blockIdx.y * CHUNKS;
    const float* sum_of = sums + blockIdx.y * CHUNKS;
    float peak = peak_of[0], sum = 0;
    for (int c = 1; c < CHUNKS; ++c) peak = fmaxf(peak, peak_of[c]);
    for (int c = 0; c < CHUNKS; ++c) sum += sum_of[c] * expf(peak_of[c] - peak);
    int first = blockIdx.x * CHUNK, last = min(first + CHUNK, cols);
    size_t row = (size_t)blockIdx.y * cols;
    for (int i = first + threadIdx.x; i < last; i += 256) y[row + i] = expf(x[row + i] - peak) / sum;
}
