//@ scratch row_loss: float32[rows]
//@ launch one_row<<<rows, 256>>>(x, label, row_loss, classes)
//@ launch average<<<1, 1>>>(row_loss, loss, rows)

extern "C" __global__ void one_row(const float* x, const int* label, float* row_loss, int classes) {
    __shared__ float part[256];
    const float* row = x + (size_t)blockIdx.x * classes;
    int t = threadIdx.x;
    float peak = -INFINITY;
    for (int i = t; i < classes; i += 256) peak = fmaxf(peak, row[i]);
    part[t] = peak;
    __syncthreads();
    for (int s = 128; s > 0; s /= 2) {
        if (t < s) part[t] = fmaxf(part[t], part[t + s]);
        __syncthreads();
    }
    peak = part[0];
    __syncthreads();
    float sum = 0;
    for (int i = t; i < classes; i += 256) sum += expf(row[i] - peak);
    part[t] = sum;
    __syncthreads();
    for (int s = 128; s > 0; s /= 2) {
        if (t < s) part[t] += part[t + s];
        __syncthreads();
    }
    if (t == 0) row_loss[blockIdx.x] = peak + logf(part[0]) - row[label[blockIdx.x]];
}

extern "C" __global__ void average(const float* row_loss, float* loss, int rows) {
    float sum = 0;
    for (int i = 0; i < rows; ++i) sum += row_loss[i];
    loss[0] = sum / rows;
}
