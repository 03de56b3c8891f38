// C = A B for square matrices of n columns, n a multiple of 16: a 16 x 16 tile of C a block.
extern "C" __global__ void matmul(const float* A, const float* B, float* C, int n) {
    __shared__ float a[16][16], b[16][16];
    int column = threadIdx.x, row = threadIdx.y;
    int i = blockIdx.y * 16 + row, j = blockIdx.x * 16 + column;
    float sum = 0.0f;
    for (int tile = 0; tile < n / 16; ++tile) {
        a[row][column] = A[i * n + tile * 16 + column];
        b[row][column] = B[(tile * 16 + row) * n + j];
        __syncthreads();
        for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
        __syncthreads();
    }
    C[i * n + j] = sum;
}
