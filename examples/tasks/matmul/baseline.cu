//@ define SIDE = 16
//@ launch matmul<<<(ceil_div(n, SIDE), ceil_div(m, SIDE)), (SIDE, SIDE)>>>(a, b, c, m, n, k)

// One thread computes one element of the product.
extern "C" __global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
    int col = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < m && col < n) {
        float sum = 0.0f;
        for (int i = 0; i < k; ++i) {
            sum += a[(size_t)row * k + i] * b[(size_t)i * n + col];
        }
        c[(size_t)row * n + col] = sum;
    }
}
