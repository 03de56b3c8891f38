//@ define SIDE = 16
//@ launch linear_gelu<<<(ceil_div(outputs, SIDE), ceil_div(rows, SIDE)), (SIDE, SIDE)>>>(x, w, bias, y, rows, inputs, outputs)

// One thread computes one output.
extern "C" __global__ void linear_gelu(
    const float* x, const float* w, const float* bias, float* y, int rows, int inputs, int outputs) {
    int col = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < rows && col < outputs) {
        float z = bias[col];
        for (int i = 0; i < inputs; ++i) {
            z += x[(size_t)row * inputs + i] * w[(size_t)i * outputs + col];
        }
        y[(size_t)row * outputs + col] = 0.5f * z * (1.0f + erff(z * 0.70710678f));
    }
}
