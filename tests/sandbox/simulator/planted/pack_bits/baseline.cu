//@ launch pack<<<ceil_div(n, 128), 128>>>(x, y, n)

extern "C" __global__ void pack(const float* x, unsigned int* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    unsigned int word = __ballot_sync(0xffffffffu, i < n && x[i] > 0.0f);
    if (i % 32 == 0 && i < n) {
        y[i / 32] = word;
    }
}
