//@ launch compact<<<1, 256>>>(x, y, count, n)

extern "C" __global__ void compact(const float* x, float* y, int* count, int n) {
    __shared__ int before[8];
    int t = threadIdx.x, lane = t % 32, warp = t / 32;
    bool keep = t < n && x[t] > 0.0f;
    unsigned int votes = __ballot_sync(0xffffffffu, keep);
    int rank = __popc(votes & ((1u << lane) - 1));
    if (lane == 0) {
        before[warp] = __popc(votes);
    }
    __syncthreads();
    for (int w = 0; w < warp; w++) {
        rank += before[w];
    }
    if (keep) {
        y[rank] = x[t];
    }
    if (t == 255) {
        *count = rank + keep;
    }
}
