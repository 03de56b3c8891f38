// y = x transposed, of float32.

__global__ void line_columns(const float* x, float* y, int rows, int columns) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    int row = at / columns, column = at % columns;
    if (at < rows * columns) y[column * rows + row] = x[at];
}

__global__ void line_rows(const float* x, float* y, int rows, int columns) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    int column = at / rows, row = at % rows;
    if (at < rows * columns) y[at] = x[row * columns + column];
}

__global__ void square_columns(const float* x, float* y, int rows, int columns) {
    int column = blockIdx.x * 16 + threadIdx.x, row = blockIdx.y * 16 + threadIdx.y;
    if (row < rows && column < columns) y[column * rows + row] = x[row * columns + column];
}

__global__ void square_rows(const float* x, float* y, int rows, int columns) {
    int row = blockIdx.x * 16 + threadIdx.x, column = blockIdx.y * 16 + threadIdx.y;
    if (row < rows && column < columns) y[column * rows + row] = x[row * columns + column];
}

__global__ void diagonal(const float* x, float* y, int rows, int columns) {
    int over = (blockIdx.x + blockIdx.y) % gridDim.x, down = blockIdx.x;
    int column = threadIdx.x + 16 * over, row = threadIdx.y + 16 * down;
    if (row < rows && column < columns) y[row * columns + column] = x[column * rows + row];
}

__global__ void four_line_columns(const float* x, float* y, int rows, int columns) {
    int at = (blockIdx.x * blockDim.x + threadIdx.x) * 4, row = at / columns, column = at % columns;
    if (row >= rows || column + 3 >= columns) return;
    float4 value = *(const float4*)&x[at];
    y[column * rows + row] = value.x;
    y[(column + 1) * rows + row] = value.y;
    y[(column + 2) * rows + row] = value.z;
    y[(column + 3) * rows + row] = value.w;
}

__global__ void four_line_rows(const float* x, float* y, int rows, int columns) {
    int at = (blockIdx.x * blockDim.x + threadIdx.x) * 4, column = at / rows, row = at % rows;
    if (column >= columns || row + 3 >= rows) return;
    float4 value;
    value.x = x[row * columns + column];
    value.y = x[(row + 1) * columns + column];
    value.z = x[(row + 2) * columns + column];
    value.w = x[(row + 3) * columns + column];
    *(float4*)&y[at] = value;
}

__global__ void four_square_columns(const float* x, float* y, int rows, int columns) {
    int column = (blockIdx.x * 16 + threadIdx.x) * 4, row = blockIdx.y * 16 + threadIdx.y;
    if (row >= rows || column + 3 >= columns) return;
    float4 value = *(const float4*)&x[row * columns + column];
    y[column * rows + row] = value.x;
    y[(column + 1) * rows + row] = value.y;
    y[(column + 2) * rows + row] = value.z;
    y[(column + 3) * rows + row] = value.w;
}

__global__ void four_square_rows(const float* x, float* y, int rows, int columns) {
    int column = blockIdx.x * 16 + threadIdx.x, row = (blockIdx.y * 16 + threadIdx.y) * 4;
    if (row + 3 >= rows || column >= columns) return;
    float4 value;
    value.x = x[row * columns + column];
    value.y = x[(row + 1) * columns + column];
    value.z = x[(row + 2) * columns + column];
    value.w = x[(row + 3) * columns + column];
    *(float4*)&y[column * rows + row] = value;
}

template <int Pad>
__global__ void tile_columns(const float* x, float* y, int rows, int columns) {
    __shared__ float tile[16][64 + Pad];
    int tx = threadIdx.x, ty = threadIdx.y;
    int column = blockIdx.x * 16 + tx, row = blockIdx.y * 16 + ty;
    if (row >= rows || column * 4 + 3 >= columns) return;
    float4 value = *(const float4*)&x[row * columns + column * 4];
    tile[ty][tx * 4] = value.x;
    tile[ty][tx * 4 + 1] = value.y;
    tile[ty][tx * 4 + 2] = value.z;
    tile[ty][tx * 4 + 3] = value.w;
    __syncthreads();
    int over = tx % 4 * 4, down = ty * 4 + tx / 4;
    float4 turned = {tile[over][down], tile[over + 1][down], tile[over + 2][down], tile[over + 3][down]};
    *(float4*)&y[(blockIdx.x * 64 + down) * rows + blockIdx.y * 16 + over] = turned;
}

template <int Pad>
__global__ void tile_rows(const float* x, float* y, int rows, int columns) {
    __shared__ float tile[64][16 + Pad];
    int tx = threadIdx.x, ty = threadIdx.y;
    int column = blockIdx.x * 16 + tx, row = (blockIdx.y * 16 + ty) * 4;
    if (row + 3 >= rows || column >= columns) return;
    tile[ty * 4][tx] = x[row * columns + column];
    tile[ty * 4 + 1][tx] = x[(row + 1) * columns + column];
    tile[ty * 4 + 2][tx] = x[(row + 2) * columns + column];
    tile[ty * 4 + 3][tx] = x[(row + 3) * columns + column];
    __syncthreads();
    int thread = ty * 16 + tx, down = thread % 64, over = thread / 64 * 4;
    for (int k = 0; k < 4; k++) y[(blockIdx.x * 16 + over + k) * rows + blockIdx.y * 64 + down] = tile[down][over + k];
}
