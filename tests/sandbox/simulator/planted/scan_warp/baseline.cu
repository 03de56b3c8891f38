//@ launch scan<<<rows, 128>>>(x, y)

extern "C" __global__ void scan(const int* x, int* y) {
    __shared__ int total[4];
    int t = threadIdx.x, lane = t % 32, warp = t / 32;
    int v = x[blockIdx.x * 128 + t];
    for (int offset = 1; offset < 32; offset *= 2) {
        int left = __shfl_up_sync(0xffffffffu, v, offset);
        if (lane >= offset) {
            v += left;
        }
    }
    if (lane == 31) {
        total[warp] = v;
    }
    __syncthreads();
    for (int w = 0; w < warp; w++) {
        v += total[w];
    }
    y[blockIdx.x * 128 + t] = v;
}
