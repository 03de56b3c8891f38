extern "C" __global__ void elementwise(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        float a = x[i], b = y[i];
        out[i] = (a > 0.0f ? a : 0.01f * a) + b * b;
    }
}
