//@ launch convolve<<<dim3(ceil_div(w, 16), ceil_div(h, 8)), dim3(16, 8)>>>(x, y, h, w)

__constant__ float taps[3][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};

extern "C" __global__ void convolve(const float* x, float* y, int h, int w) {
    __shared__ float tile[10][18];
    int left = blockIdx.x * 16 - 1, top = blockIdx.y * 8 - 1;
    for (int p = threadIdx.y * 16 + threadIdx.x; p < 180; p += 128) {
        int row = top + p / 18, col = left + p % 18;
        bool inside = row >= 0 && row < h && col >= 0 && col < w;
        tile[p / 18][p % 18] = inside ? x[row * w + col] : 0.0f;
    }
    __syncthreads();
    int row = top + 1 + threadIdx.y, col = left + 1 + threadIdx.x;
    if (row >= h || col >= w) {
        return;
    }
    float window[9];
    for (int i = 0; i < 9; i++) {
        window[i] = tile[threadIdx.y + i / 3][threadIdx.x + i % 3];
    }
    float sum = 0.0f;
    for (int i = 0; i < 9; i++) {
        sum += taps[i / 3][i % 3] * window[i];
    }
    y[row * w + col] = sum;
}
