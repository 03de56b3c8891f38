//@ define SIDE = 16
//@ launch transpose<<<(ceil_div(cols, SIDE), ceil_div(rows, SIDE)), (SIDE, SIDE)>>>(x, y, rows, cols)

// One thread moves one element.
extern "C" __global__ void transpose(const float* x, float* y, int rows, int cols) {
    int col = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < rows && col < cols) {
        y[(size_t)col * rows + row] = x[(size_t)row * cols + col];
    }
}
