//@ launch dot<<<rows, 64>>>(a, b, y, cols)

extern "C" __global__ void dot(const signed char* a, const signed char* b, int* y, int cols) {
    __shared__ int total;
    if (threadIdx.x == 0) {
        total = 0;
    }
    __syncthreads();
    const int* row = (const int*)(a + (size_t)blockIdx.x * cols);
    int sum = 0;
    for (int i = threadIdx.x; i < cols / 4; i += 64) {
        sum = __dp4a(row[i], ((const int*)b)[i], sum);
    }
    sum = __reduce_add_sync(0xffffffffu, sum);
    if (threadIdx.x % 32 == 0) {
        atomicAdd(&total, sum);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        y[blockIdx.x] = total;
    }
}
