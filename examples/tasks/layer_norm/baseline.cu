//@ define THREADS = 256
//@ define PIXELS = height * width
//@ launch layer_norm<<<ceil_div(batch * PIXELS, THREADS), THREADS>>>(x, y, batch, features, PIXELS)

// One thread normalises the features of one position.
extern "C" __global__ void layer_norm(const float* x, float* y, int batch, int features, int pixels) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < batch * pixels) {
        size_t first = (size_t)(i / pixels) * features * pixels + i % pixels;
        float mean = 0.0f;
        for (int f = 0; f < features; ++f) {
            mean += x[first + (size_t)f * pixels];
        }
        mean /= features;
        float variance = 0.0f;
        for (int f = 0; f < features; ++f) {
            float centred = x[first + (size_t)f * pixels] - mean;
            variance += centred * centred;
        }
        variance /= features;
        for (int f = 0; f < features; ++f) {
            float centred = x[first + (size_t)f * pixels] - mean;
            y[first + (size_t)f * pixels] = centred / sqrtf(variance + 1e-5f);
        }
    }
}
