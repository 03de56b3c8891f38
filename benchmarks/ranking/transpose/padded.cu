//@ define PITCH = 33
//@ launch transpose<<<(ceil_div(cols, 32), ceil_div(rows, 32)), (32, 8)>>>(x, y, rows, cols)

// Through a tile in shared memory, padded so that its columns lie in 32 banks.
extern "C" __global__ void transpose(const float* x, float* y, int rows, int cols) {
    __shared__ float tile[32][PITCH];
    int col = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 32 + threadIdx.y;
    for (int k = 0; k < 32; k += 8) {
        if (row + k < rows && col < cols) tile[threadIdx.y + k][threadIdx.x] = x[(size_t)(row + k) * cols + col];
    }
    __syncthreads();
    col = blockIdx.y * 32 + threadIdx.x, row = blockIdx.x * 32 + threadIdx.y;
    for (int k = 0; k < 32; k += 8) {
        if (row + k < cols && col < rows) y[(size_t)(row + k) * rows + col] = tile[threadIdx.x][threadIdx.y + k];
    }
}
