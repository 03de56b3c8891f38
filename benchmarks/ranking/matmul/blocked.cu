//@ launch matmul<<<(n // 64, n // 64), (16, 16)>>>(a, b, c, n)

// Sixteen elements a thread, held in registers, from tiles in shared memory.
extern "C" __global__ void matmul(const float* a, const float* b, float* c, int n) {
    __shared__ float left[16][64 + 1], right[16][64];
    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 64, col = blockIdx.x * 64;
    float sum[4][4] = {};
    for (int first = 0; first < n; first += 16) {
        for (int k = 0; k < 4; k++) {
            left[x][y + 16 * k] = a[(row + y + 16 * k) * n + first + x];
            right[y][x + 16 * k] = b[(first + y) * n + col + x + 16 * k];
        }
        __syncthreads();
        for (int k = 0; k < 16; k++) {
            float u[4], v[4];
            for (int i = 0; i < 4; i++) u[i] = left[k][y + 16 * i], v[i] = right[k][x + 16 * i];
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++) sum[i][j] += u[i] * v[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) c[(row + y + 16 * i) * n + col + x + 16 * j] = sum[i][j];
}
