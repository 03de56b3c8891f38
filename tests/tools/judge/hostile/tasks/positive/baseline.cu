//@ launch positive<<<ceil_div(n, 128), 128>>>(x, above, n)

extern "C" __global__ void positive(const float* x, bool* above, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) above[i] = x[i] > 0;
}
