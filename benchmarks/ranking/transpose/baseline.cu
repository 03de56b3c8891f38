//@ launch transpose<<<(ceil_div(cols, 32), ceil_div(rows, 8)), (32, 8)>>>(x, y, rows, cols)

// Reads rows, writes columns.
extern "C" __global__ void transpose(const float* x, float* y, int rows, int cols) {
    int col = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 8 + threadIdx.y;
    if (row < rows && col < cols) y[(size_t)col * rows + row] = x[(size_t)row * cols + col];
}
