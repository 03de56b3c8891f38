//@ launch matmul<<<n // 8, dim3(32, 2)>>>(a, b, c)

extern "C" __global__ void matmul(const float* a, const float* b, float* c) {
    __shared__ float rows[8][32];
    int col = threadIdx.x, first = threadIdx.y * 4;
    for (int r = 0; r < 4; r++) {
        rows[first + r][col] = a[(blockIdx.x * 8 + first + r) * 32 + col];
    }
    __syncwarp();
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int i = 0; i < 32; i++) {
        float right = b[i * 32 + col];
        for (int r = 0; r < 4; r++) {
            sum[r] += rows[first + r][i] * right;
        }
    }
    for (int r = 0; r < 4; r++) {
        c[(blockIdx.x * 8 + first + r) * 32 + col] = sum[r];
    }
}
