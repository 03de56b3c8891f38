//@ launch matmul<<<dim3(ceil_div(n, 16), ceil_div(m, 16)), dim3(16, 16)>>>(a, b, c, m, n, k)

extern "C" __global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
    __shared__ float as[16][16], bs[16][16];
    int tx = threadIdx.x, ty = threadIdx.y;
    int row = blockIdx.y * 16 + ty, col = blockIdx.x * 16 + tx;
    float sum = 0.0f;
    for (int first = 0; first < k; first += 16) {
        as[ty][tx] = row < m && first + tx < k ? a[row * k + first + tx] : 0.0f;
        bs[ty][tx] = first + ty < k && col < n ? b[(first + ty) * n + col] : 0.0f;
        __syncthreads();  // loaded
        for (int i = 0; i < 16; i++) {
            sum += as[ty][i] * bs[i][tx];
        }
        __syncthreads();  // used
    }
    if (row < m && col < n) {
        c[row * n + col] = sum;
    }
}
