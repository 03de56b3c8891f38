// Every thread takes as many turns as its element says: no two neighbours go on equally long.
extern "C" __global__ void divergent(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float value = x[i];
    int turns = 1 + static_cast<int>(fabsf(value) * 32.0f);
    float total = 0.0f;
    for (int turn = 0; turn < turns; ++turn) {
        if (turn % 3 == i % 3) {
            total += value;
        } else {
            total -= 0.5f * value;
        }
    }
    out[i] = total;
}
