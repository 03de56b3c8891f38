//@ define THREADS = 256
//@ define RUN = 32
//@ launch copy<<<ceil_div(n, THREADS * RUN), THREADS>>>(x, y, n)

// Every thread copies a run of its own: neighbouring lanes are 128 bytes apart.
extern "C" __global__ void copy(const float* x, float* y, int n) {
    int first = (blockIdx.x * blockDim.x + threadIdx.x) * RUN;
    for (int i = first; i < first + RUN && i < n; i++) y[i] = x[i];
}
