//@ define BLOCKS = ceil_div(n, 256)
//@ scratch partial: float32[BLOCKS]
//@ launch sums<<<BLOCKS, 256>>>(x, partial, n)
//@ launch sums<<<1, 256>>>(partial, out, BLOCKS)

extern "C" __global__ void sums(const float* x, float* out, int n) {
    __shared__ float s[256];
    int t = threadIdx.x;
    int i = blockIdx.x * 256 + t;
    s[t] = i < n ? x[i] : 0.0f;
    __syncthreads();
    for (int stride = 128; stride > 0; stride /= 2) {
        if (t < stride) {
            s[t] += s[t + stride];
        }
        __syncthreads();  // inside
    }
    if (t == 0) {
        out[blockIdx.x] = s[0];
    }
}
