//@ launch bitonic<<<rows, 128>>>(x, y)

extern "C" __global__ void bitonic(const float* x, float* y) {
    __shared__ float s[128];
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 128 + t];
    for (int size = 2; size <= 128; size *= 2) {
        for (int step = size / 2; step > 0; step /= 2) {
            __syncthreads();
            int other = t ^ step;
            if (other > t) {
                bool up = (t & size) == 0;
                if ((s[t] > s[other]) == up) {
                    float kept = s[t];
                    s[t] = s[other];
                    s[other] = kept;
                }
            }
        }
    }
    __syncthreads();  // sorted
    y[blockIdx.x * 128 + t] = s[t];
}
