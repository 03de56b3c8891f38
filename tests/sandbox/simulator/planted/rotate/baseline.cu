//@ launch rotate<<<rows, 96>>>(y)

extern "C" __global__ void rotate(float* y) {
    int t = threadIdx.x;
    float* row = y + blockIdx.x * 96;
    float mine = row[t];
    __syncthreads();
    row[(t + 1) % 96] = mine;
}
