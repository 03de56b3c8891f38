//@ launch transpose<<<dim3(ceil_div(cols, 32), ceil_div(rows, 32)), dim3(32, 8)>>>(x, y, rows, cols)

extern "C" __global__ void transpose(const float* x, float* y, int rows, int cols) {
    __shared__ float tile[32][33];
    int col = blockIdx.x * 32 + threadIdx.x;
    int row = blockIdx.y * 32 + threadIdx.y;
    for (int j = 0; j < 32; j += 8) {
        if (row + j < rows && col < cols) {
            tile[threadIdx.y + j][threadIdx.x] = x[(row + j) * cols + col];
        }
    }
    __syncthreads();
    col = blockIdx.y * 32 + threadIdx.x;
    row = blockIdx.x * 32 + threadIdx.y;
    for (int j = 0; j < 32; j += 8) {
        if (row + j < cols && col < rows) {
            y[(row + j) * rows + col] = tile[threadIdx.x][threadIdx.y + j];
        }
    }
}
