//@ define THREADS = 256
//@ define OUTPUTS = batch * channels * ((depth - 5) // 2 + 1) * ((height - 5) // 2 + 1) * ((width - 5) // 2 + 1)
//@ launch max_pool3d<<<ceil_div(OUTPUTS, THREADS), THREADS>>>(x, y, batch * channels, depth, height, width)

// One thread computes one element.
extern "C" __global__ void max_pool3d(const float* x, float* y, int volumes, int depth, int height, int width) {
    int out_depth = (depth - 5) / 2 + 1, out_height = (height - 5) / 2 + 1, out_width = (width - 5) / 2 + 1;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < volumes * out_depth * out_height * out_width) {
        int w = i % out_width;
        int h = i / out_width % out_height;
        int d = i / (out_width * out_height) % out_depth;
        const float* volume = x + (size_t)(i / (out_width * out_height * out_depth)) * depth * height * width;
        float largest = -INFINITY;
        for (int a = 0; a < 3; ++a) {
            for (int b = 0; b < 3; ++b) {
                for (int c = 0; c < 3; ++c) {
                    int z = 2 * d - 1 + 3 * a, row = 2 * h - 1 + 3 * b, col = 2 * w - 1 + 3 * c;
                    if (z >= 0 && z < depth && row >= 0 && row < height && col >= 0 && col < width) {
                        largest = fmaxf(largest, volume[((size_t)z * height + row) * width + col]);
                    }
                }
            }
        }
        y[i] = largest;
    }
}
