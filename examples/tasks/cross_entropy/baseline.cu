//@ define THREADS = 256
//@ scratch total: float64[1]
//@ zero total
//@ launch cross_entropy<<<ceil_div(rows, THREADS), THREADS>>>(logits, labels, total, rows, classes)
//@ launch finish<<<1, 1>>>(total, loss, rows)

// One thread computes the loss of one row, and adds it to the one sum: of a million in a row float32 would lose digits.
extern "C" __global__ void cross_entropy(const float* logits, const int* labels, double* total, int rows, int classes) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < rows) {
        const float* row = logits + (size_t)i * classes;
        float largest = row[0];
        for (int j = 1; j < classes; ++j) {
            largest = fmaxf(largest, row[j]);
        }
        float sum = 0.0f;
        for (int j = 0; j < classes; ++j) {
            sum += expf(row[j] - largest);
        }
        atomicAdd(total, (double)(logf(sum) - (row[labels[i]] - largest)));
    }
}

extern "C" __global__ void finish(const double* total, float* loss, int rows) {
    loss[0] = (float)(total[0] / rows);
}
