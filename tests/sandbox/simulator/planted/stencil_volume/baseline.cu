//@ launch stencil<<<dim3(ceil_div(w, 8), ceil_div(h, 4), ceil_div(d, 4)), dim3(8, 4, 4)>>>(x, y, d, h, w)

extern "C" __global__ void stencil(const float* x, float* y, int d, int h, int w) {
    int k = blockIdx.x * 8 + threadIdx.x, j = blockIdx.y * 4 + threadIdx.y, i = blockIdx.z * 4 + threadIdx.z;
    if (i >= d || j >= h || k >= w) {
        return;
    }
    int at = (i * h + j) * w + k;
    float sum = -6.0f * x[at];
    sum += i > 0 ? x[at - h * w] : 0.0f;
    sum += i < d - 1 ? x[at + h * w] : 0.0f;
    sum += j > 0 ? x[at - w] : 0.0f;
    sum += j < h - 1 ? x[at + w] : 0.0f;
    sum += k > 0 ? x[at - 1] : 0.0f;
    sum += k < w - 1 ? x[at + 1] : 0.0f;
    y[at] = sum;
}
