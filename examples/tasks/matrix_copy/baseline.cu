//@ define SIDE = 16
//@ launch matrix_copy<<<(ceil_div(cols, SIDE), ceil_div(rows, SIDE)), (SIDE, SIDE)>>>(x, y, rows, cols)

// One thread copies one element.
extern "C" __global__ void matrix_copy(const float* x, float* y, int rows, int cols) {
    int col = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < rows && col < cols) {
        y[(size_t)row * cols + col] = x[(size_t)row * cols + col];
    }
}
