//@ define SIDE = 16
//@ define OUT_WIDTH = width - side + 1
//@ define OUT_HEIGHT = height - side + 1
//@ launch conv2d<<<(ceil_div(OUT_WIDTH, SIDE), ceil_div(OUT_HEIGHT, SIDE)), (SIDE, SIDE)>>>(image, weights, y, height, width, side)

// One thread computes one element.
extern "C" __global__ void conv2d(
    const float* image, const float* weights, float* y, int height, int width, int side) {
    int col = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    int out_width = width - side + 1, out_height = height - side + 1;
    if (row < out_height && col < out_width) {
        float sum = 0.0f;
        for (int i = 0; i < side; ++i) {
            for (int j = 0; j < side; ++j) {
                sum += image[(size_t)(row + i) * width + col + j] * weights[i * side + j];
            }
        }
        y[(size_t)row * out_width + col] = sum;
    }
}
