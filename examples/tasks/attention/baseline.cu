//@ define THREADS = 128
//@ define SIDE = 16
//@ scratch scores: float32[heads * length * length]
//@ launch products<<<(ceil_div(length, SIDE), ceil_div(length, SIDE), heads), (SIDE, SIDE)>>>(q, k, scores, length, heads, width)
//@ launch softmax<<<ceil_div(heads * length, THREADS), THREADS>>>(scores, heads * length, length)
//@ launch sums<<<ceil_div(length * heads * width, THREADS), THREADS>>>(scores, v, y, length, heads, width)

// One thread computes one score.
extern "C" __global__ void products(
    const float* q, const float* k, float* scores, int length, int heads, int width) {
    int col = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    int head = blockIdx.z;
    if (row < length && col < length) {
        float sum = 0.0f;
        for (int i = 0; i < width; ++i) {
            sum += q[((size_t)row * heads + head) * width + i] * k[((size_t)col * heads + head) * width + i];
        }
        scores[((size_t)head * length + row) * length + col] = sum / sqrtf(width);
    }
}

// One thread turns one row of scores into weights.
extern "C" __global__ void softmax(float* scores, int rows, int length) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < rows) {
        float* row = scores + (size_t)i * length;
        float largest = row[0];
        for (int j = 1; j < length; ++j) {
            largest = fmaxf(largest, row[j]);
        }
        float sum = 0.0f;
        for (int j = 0; j < length; ++j) {
            row[j] = expf(row[j] - largest);
            sum += row[j];
        }
        for (int j = 0; j < length; ++j) {
            row[j] /= sum;
        }
    }
}

// One thread computes one element of the result.
extern "C" __global__ void sums(const float* scores, const float* v, float* y, int length, int heads, int width) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < length * heads * width) {
        int row = i / (heads * width), head = i / width % heads;
        const float* weights = scores + ((size_t)head * length + row) * length;
        float sum = 0.0f;
        for (int j = 0; j < length; ++j) {
            sum += weights[j] * v[(size_t)j * heads * width + i % (heads * width)];
        }
        y[i] = sum;
    }
}
