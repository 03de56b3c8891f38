//@ launch argmax<<<rows, 128>>>(x, at, cols)

extern "C" __global__ void argmax(const float* x, int* at, int cols) {
    __shared__ float value[4];
    __shared__ int index[4];
    const float* row = x + blockIdx.x * cols;
    float best = -INFINITY;
    int where = cols;
    for (int i = threadIdx.x; i < cols; i += 128) {
        if (row[i] > best) {
            best = row[i];
            where = i;
        }
    }
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        float other = __shfl_xor_sync(0xffffffffu, best, lanes);
        int there = __shfl_xor_sync(0xffffffffu, where, lanes);
        if (other > best || (other == best && there < where)) {
            best = other;
            where = there;
        }
    }
    if (threadIdx.x % 32 == 0) {
        value[threadIdx.x / 32] = best;
        index[threadIdx.x / 32] = where;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < 4; w++) {
            if (value[w] > best || (value[w] == best && index[w] < where)) {
                best = value[w];
                where = index[w];
            }
        }
        at[blockIdx.x] = where;
    }
}
