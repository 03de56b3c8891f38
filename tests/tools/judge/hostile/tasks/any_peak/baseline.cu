//@ launch argmax<<<rows, 128>>>(x, index, cols)

// Equal values: the smaller index wins, in a thread and between threads.
extern "C" __global__ void argmax(const float* x, int* index, int cols) {
    __shared__ float best[128];
    __shared__ int where[128];
    const float* row = x + (size_t)blockIdx.x * cols;
    int t = threadIdx.x, at = 0x7fffffff;
    float value = -INFINITY;
    for (int i = t; i < cols; i += 128) {
        if (row[i] > value) { value = row[i]; at = i; }
    }
    best[t] = value;
    where[t] = at;
    __syncthreads();
    for (int s = 64; s > 0; s /= 2) {
        if (t < s && (best[t + s] > best[t] || (best[t + s] == best[t] && where[t + s] < where[t]))) {
            best[t] = best[t + s];
            where[t] = where[t + s];
        }
        __syncthreads();
    }
    if (t == 0) index[blockIdx.x] = where[0];
}
